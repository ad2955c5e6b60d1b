package mongo

import (
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"carerecord/store"
)

// Inspect decodes a document of res or old: its fields in their order. In k each posting is
// given by its key, the posting of the type by the empty key. It is for the test that writes
// docs/storage-example.md.
func Inspect(raw bson.Raw) ([]store.Field, error) {
	if err := raw.Validate(); err != nil {
		return nil, fmt.Errorf("mongo: stored document: %w", err)
	}
	d, err := unmarshal(raw)
	if err != nil {
		return nil, err
	}
	elements, err := raw.Elements()
	if err != nil {
		return nil, fmt.Errorf("mongo: stored document: %w", err)
	}
	var out []store.Field
	for _, e := range elements {
		f := store.Field{Name: e.Key()}
		switch e.Key() {
		case "_id":
			f.Meaning, f.Text = "type and id; in old followed by the version", e.Value().StringValue()
		case "v":
			f.Meaning, f.Text = "version", fmt.Sprint(d.Version)
		case "t":
			f.Meaning, f.Text = "type", d.Ref.Type
		case "lu":
			f.Meaning, f.Text = "updated", d.Updated.Format(time.RFC3339Nano)
		case "g":
			f.Meaning, f.Text = "origin", d.Origin.String()
		case "p":
			f.Meaning, f.Text = "partition", fmt.Sprintf("%012x", uint64(d.RowID.Partition))
		case "o":
			f.Meaning, f.Text = "sort key", fmt.Sprintf("%x", d.RowID.SortKey)
		case "s":
			f.Meaning, f.Text = "source", d.Source
		case "k":
			f.Meaning = "postings: the driving and cross-type keys, and one of the type itself"
			if f.Keys, err = postingKeys(e.Value()); err != nil {
				return nil, err
			}
		case "f":
			f.Meaning, f.Keys = "all keys", d.Keys
		case "q":
			f.Meaning, f.Text = "number of the commit", fmt.Sprint(d.Seq)
		case "r":
			f.Meaning, f.Text = "how often this version was rekeyed", fmt.Sprint(d.KeyRevision)
		case "b":
			f.Meaning, f.Text = "body", string(d.Body)
		case "d":
			f.Meaning, f.Text = "of a tombstone: its own _id", e.Value().StringValue()
		case "c":
			f.Meaning, f.Text = "number of checks that locked this version", e.Value().String()
		default:
			return nil, fmt.Errorf("mongo: stored document %s has an unknown field %q", d.Ref, e.Key())
		}
		out = append(out, f)
	}
	return out, nil
}

// postingKeys decodes k.
func postingKeys(v bson.RawValue) ([]store.Key, error) {
	array, ok := v.ArrayOK()
	if !ok {
		return nil, fmt.Errorf("mongo: postings are a %s", v.Type)
	}
	values, err := array.Values()
	if err != nil {
		return nil, fmt.Errorf("mongo: postings: %w", err)
	}
	keys := make([]store.Key, len(values))
	for i, p := range values {
		text, _ := p.StringValueOK()
		_, encoded, ok := strings.Cut(text, "/")
		key, valid := decode(encoded)
		if !ok || !valid {
			return nil, fmt.Errorf("mongo: %q is not a posting", text)
		}
		keys[i] = store.Key(key)
	}
	return keys, nil
}
