package clients

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"carerecord/consent/audit"
)

// hiddenFields are not in the audit trail: secrets, of which their dates are there, and keys, of which the digest is there.
var hiddenFields = []string{"secrets", "keys"}

// changed returns the values that differ between two states of a client, by the names of their fields (SMART-052). before is nil for
// a new client.
func changed(before, after *Client) (out []audit.Change) {
	old, now := values(before), values(after)
	fields := maps.Clone(now)
	maps.Copy(fields, old)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "changed" && !bytes.Equal(old[name], now[name]) {
			out = append(out, audit.Change{Field: name, Old: old[name], New: now[name]})
		}
	}
	return out
}

// values returns the fields of a client as JSON, without what must not be recorded; nothing for nil.
func values(c *Client) map[string]json.RawMessage {
	if c == nil {
		return nil
	}
	out := fieldsOf(c)
	for i, s := range c.Secrets {
		s.Digest = ""
		out["secrets["+string(rune('0'+i))+"]"] = mustJSON(s)
	}
	delete(out, "proposed")
	if p := c.Proposed; p != nil {
		for name, value := range fieldsOf(&p.With) {
			out["proposed."+name] = value
		}
		out["proposed.by"] = mustJSON(p.By)
	}
	return out
}

func fieldsOf(c *Client) (out map[string]json.RawMessage) {
	if err := json.Unmarshal(mustJSON(c), &out); err != nil {
		panic(err) // it is an object
	}
	for _, name := range hiddenFields {
		delete(out, name)
	}
	return out
}

// mustJSON writes a value that has strings, numbers and instants alone, which cannot fail but for keys that are no JSON.
func mustJSON(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return text
}
