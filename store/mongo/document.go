package mongo

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"carerecord/store"
)

// documentMax is the largest stored document in bytes of BSON; MongoDB's own limit is 16 MiB.
const documentMax = 15 << 20

// versionWidth is the width of a version in an _id of old.
const versionWidth = 20

func refID(ref store.Ref) string { return ref.Type + "/" + ref.ID }

func versionID(ref store.Ref, version uint64) string {
	return fmt.Sprintf("%s/%0*d", refID(ref), versionWidth, version)
}

// signed converts a number to BSON's, which has no unsigned one.
func signed(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

func binary(b []byte) bson.Binary { return bson.Binary{Data: b} }

// marshal returns the document of res without seq, which is known only in the transaction:
// addSeq appends it.
func marshal(d *store.Doc) (bson.Raw, error) {
	index, b := bsoncore.AppendDocumentStart(make([]byte, 0, 256+len(d.Body)+64*len(d.Keys)))
	b = bsoncore.AppendStringElement(b, "_id", refID(d.Ref))
	b = bsoncore.AppendInt64Element(b, "v", signed(d.Version))
	b = bsoncore.AppendStringElement(b, "t", d.Ref.Type)
	b = bsoncore.AppendDateTimeElement(b, "lu", d.Updated.UnixMilli())
	b = bsoncore.AppendInt32Element(b, "g", int32(d.Origin))
	b = appendIndexed(b, d, d.Deleted())
	if d.Deleted() {
		b = bsoncore.AppendStringElement(b, "d", refID(d.Ref))
	} else if d.Body != nil {
		b = bsoncore.AppendBinaryElement(b, "b", 0, d.Body)
	}
	b, err := bsoncore.AppendDocumentEnd(b, index)
	if err != nil {
		return nil, err
	}
	if len(b) > documentMax {
		return nil, fmt.Errorf("mongo: %s takes %d bytes: %w", d.Ref, len(b), store.ErrTooLarge)
	}
	return b, nil
}

// appendIndexed appends the fields that a rekey replaces, the key revision included.
func appendIndexed(b []byte, d *store.Doc, deleted bool) []byte {
	b = bsoncore.AppendInt64Element(b, "p", int64(d.RowID.Partition))
	b = bsoncore.AppendBinaryElement(b, "o", 0, d.RowID.SortKey[:])
	b = bsoncore.AppendStringElement(b, "s", encode(d.Source))
	var at int32
	if !deleted {
		at, b = bsoncore.AppendArrayElementStart(b, "k")
		b = bsoncore.AppendStringElement(b, "0", posting(d.Ref.Type, ""))
		n := 1
		for _, key := range d.Keys {
			switch {
			case key.CrossType():
				b = bsoncore.AppendStringElement(b, strconv.Itoa(n), posting("", key))
				n++
			case key.Driving():
				b = bsoncore.AppendStringElement(b, strconv.Itoa(n), posting(d.Ref.Type, key))
				n++
			}
		}
		b, _ = bsoncore.AppendArrayEnd(b, at)
	}
	at, b = bsoncore.AppendArrayElementStart(b, "f")
	for i, key := range d.Keys {
		b = bsoncore.AppendBinaryElement(b, strconv.Itoa(i), 0, []byte(key))
	}
	b, _ = bsoncore.AppendArrayEnd(b, at)
	if d.KeyRevision > 0 {
		b = bsoncore.AppendInt64Element(b, "r", signed(d.KeyRevision))
	}
	return b
}

// addSeq appends the number of the commit to a marshalled document.
func addSeq(raw bson.Raw, seq uint64) bson.Raw {
	b := make([]byte, len(raw)-1, len(raw)+11)
	copy(b, raw)
	b = bsoncore.AppendInt64Element(b, "q", signed(seq))
	b = append(b, 0)
	return bsoncore.UpdateLength(b, 0, int32(len(b)))
}

// superseded converts a document of res to one of old.
func superseded(raw bson.Raw) (bson.Raw, error) {
	elements, err := raw.Elements()
	if err != nil {
		return nil, fmt.Errorf("mongo: stored document: %w", err)
	}
	index, b := bsoncore.AppendDocumentStart(make([]byte, 0, len(raw)+versionWidth+1))
	b = bsoncore.AppendStringElement(b, "_id",
		fmt.Sprintf("%s/%0*d", raw.Lookup("_id").StringValue(), versionWidth, raw.Lookup("v").Int64()))
	for _, e := range elements {
		switch e.Key() {
		case "_id", "k", "d", "c":
		default:
			b = append(b, e...)
		}
	}
	return bsoncore.AppendDocumentEnd(b, index)
}

// rekeyed returns a document of res with the fields that a rekey replaces, the key revision
// included.
func rekeyed(raw bson.Raw, d *store.Doc, deleted bool) (bson.Raw, error) {
	elements, err := raw.Elements()
	if err != nil {
		return nil, fmt.Errorf("mongo: stored document: %w", err)
	}
	index, b := bsoncore.AppendDocumentStart(make([]byte, 0, len(raw)+64*len(d.Keys)))
	for _, e := range elements {
		switch e.Key() {
		case "p", "o", "s", "k", "f", "c", "r":
		default:
			b = append(b, e...)
		}
	}
	return bsoncore.AppendDocumentEnd(appendIndexed(b, d, deleted), index)
}

// unmarshal decodes a document of res or old. The result does not share memory with raw.
func unmarshal(raw bson.Raw) (d store.Doc, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("mongo: stored document: %v", p) // an element with an unexpected type
		}
	}()
	elements, err := bsoncore.Document(raw).Elements()
	if err != nil {
		return d, fmt.Errorf("mongo: stored document: %w", err)
	}
	var id string
	for _, e := range elements {
		v := e.Value()
		switch e.Key() {
		case "_id":
			id = v.StringValue()
		case "t":
			d.Ref.Type = v.StringValue()
		case "v":
			d.Version = uint64(v.Int64())
		case "lu":
			d.Updated = time.UnixMilli(v.DateTime()).UTC()
		case "p":
			d.RowID.Partition = store.Partition(v.Int64())
		case "o":
			_, o := v.Binary()
			copy(d.RowID.SortKey[:], o)
		case "s":
			d.Source, _ = decode(v.StringValue())
		case "q":
			d.Seq = uint64(v.Int64())
		case "r":
			d.KeyRevision = uint64(v.Int64())
		case "g":
			d.Origin = store.Origin(v.Int32())
		case "f":
			d.Keys, err = unmarshalKeys(v.Array())
		case "b":
			_, body := v.Binary()
			d.Body = append(make([]byte, 0, len(body)), body...)
		}
	}
	rest, ok := strings.CutPrefix(id, d.Ref.Type+"/")
	if !ok {
		return d, fmt.Errorf("mongo: stored document %q is of type %q", id, d.Ref.Type)
	}
	d.Ref.ID, _, _ = strings.Cut(rest, "/")
	return d, err
}

// unmarshalKeys decodes f. The keys share one string.
func unmarshalKeys(array bsoncore.Array) ([]store.Key, error) {
	values, err := array.Values()
	if err != nil {
		return nil, fmt.Errorf("mongo: stored keys: %w", err)
	}
	if len(values) == 0 {
		return nil, nil
	}
	var all strings.Builder
	all.Grow(len(array))
	ends := make([]int, len(values))
	for i, v := range values {
		_, key := v.Binary()
		all.Write(key)
		ends[i] = all.Len()
	}
	text, start := all.String(), 0
	keys := make([]store.Key, len(values))
	for i, end := range ends {
		keys[i] = store.Key(text[start:end])
		start = end
	}
	return keys, nil
}
