package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"carerecord/consent/audit"
)

// changed returns the values that differ between two states of a client, by the names of their fields (SMART-052). before is nil for
// a new client.
func changed(before, after *Client) (out []audit.Change, err error) {
	old, err := values(before)
	if err != nil {
		return nil, err
	}
	now, err := values(after)
	if err != nil {
		return nil, err
	}
	fields := maps.Clone(now)
	maps.Copy(fields, old)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "changed" && !bytes.Equal(old[name], now[name]) {
			out = append(out, audit.Change{Field: name, Old: old[name], New: now[name]})
		}
	}
	return out, nil
}

// values returns the fields of a client as JSON, without what must not be recorded; none for nil. The error is of keys that are no
// JSON.
func values(c *Client) (map[string]json.RawMessage, error) {
	if c == nil {
		return map[string]json.RawMessage{}, nil
	}
	out, err := fieldsOf(c)
	if err != nil {
		return nil, err
	}
	for i, s := range c.Secrets {
		s.Digest = ""
		if out["secrets["+strconv.Itoa(i)+"]"], err = json.Marshal(s); err != nil {
			return nil, fmt.Errorf("describe a secret of a client: %w", err)
		}
	}
	delete(out, "proposed")
	if p := c.Proposed; p != nil {
		proposed, err := fieldsOf(&p.With)
		if err != nil {
			return nil, err
		}
		for name, value := range proposed {
			out["proposed."+name] = value
		}
		if out["proposed.by"], err = json.Marshal(p.By); err != nil {
			return nil, fmt.Errorf("describe a proposal of a client: %w", err)
		}
	}
	return out, nil
}

// fieldsOf returns the fields of a client but for its secrets, of which values has the dates, and its keys and logo, of which the
// digests are fields.
func fieldsOf(c *Client) (out map[string]json.RawMessage, err error) {
	text, err := json.Marshal(c)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		return nil, fmt.Errorf("describe a client: %w", err)
	}
	delete(out, "secrets")
	delete(out, "keys")
	delete(out, "logo")
	return out, nil
}
