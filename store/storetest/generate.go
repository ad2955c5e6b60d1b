package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"carerecord/store"
)

// dice generates the data of the random test from few addresses, partitions and keys, so that
// operations interact.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 20250401))} }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

// oneIn returns true one time in n.
func (d dice) oneIn(n int) bool { return d.IntN(n) == 0 }

func (d dice) typ() string { return pick(d, "Observation", "Observation", "Condition", "Obs") }

func (d dice) ref() store.Ref {
	return store.Ref{Type: d.typ(), ID: pick(d, "a", "b", "ab", "a-1", "a.1", "B", "c", "d")}
}

func (d dice) rowID() store.RowID {
	id := rowIDOf(pick[store.Partition](d, 0, 1, 2, 256, 1<<47), pick[uint64](d, 0, 1, 2, 255, 256, 1<<63, 1<<64-1))
	id.SortKey[0] = pick[byte](d, 0, 0, 0, 1, 255)
	return id
}

// key returns any key of the alphabet except an interval.
func (d dice) key() store.Key {
	return pick[store.Key](d, "a", "a\x00", "a\x00\x01", "a\x01", "a\xff", "ab", "abc", "b", "b\x00\xff", "\x00", "\x7f\xff",
		"", "s", "n1", "n2", "\x00\x00", "\x00\x00c", "\x00\x00c", "\x00\x00d", "\x80x", "\x80xy", "\x80z", "\xff", "\xff\xff")
}

func (d dice) digit() string { return pick(d, "1", "2", "3", "4", "5", "\x00", "\xff") }

// keys returns a set of keys. An interval has two keys, as in fhir/index: one with prefix s that begins
// with its start, and one with prefix e that begins with its end; or one verifying key.
func (d dice) keys() []store.Key {
	var keys []store.Key
	for range d.IntN(6) {
		keys = append(keys, d.key())
	}
	for range d.IntN(3) {
		lo, hi := d.digit(), d.digit()
		switch {
		case d.oneIn(4):
			keys = append(keys, store.Key("\x80s"+lo+hi))
		case d.oneIn(3):
			keys = append(keys, store.Key("s"+lo), store.Key("e"+lo))
		default:
			keys = append(keys, store.Key("s"+lo+hi), store.Key("e"+hi+lo))
		}
	}
	return store.Sorted(keys)
}

// pred returns a predicate of at most the given depth.
func (d dice) pred(depth int) store.Pred {
	if depth > 0 && d.oneIn(2) {
		members := make([]store.Pred, d.IntN(4))
		for i := range members {
			members[i] = d.pred(depth - 1)
		}
		switch d.IntN(6) {
		case 0, 1:
			return store.And(members)
		case 2, 3:
			return store.Or(members)
		case 4:
			return store.VerifyOnly{Pred: d.pred(depth - 1)}
		}
		return store.Not{Pred: d.pred(depth - 1)}
	}
	switch d.IntN(12) {
	case 0:
		return store.Range{Low: d.bound(), High: d.bound()}
	case 1:
		return store.WithPrefix(d.key())
	case 2, 3:
		return d.interval()
	case 4:
		return store.Contains{Prefix: pick[store.Key](d, "a", "b", "\x80x", "s"), Text: pick(d, "", "b", "y", "1")}
	case 5:
		return store.In{Prefix: pick[store.Key](d, "n", "\x80x", "a"), Set: fixedSet{pick(d, "", "1", "2", "b"): true, pick(d, "y", "2"): true}}
	}
	return store.Eq{Key: d.key()}
}

func (d dice) bound() store.Key {
	if d.oneIn(5) {
		return ""
	}
	return d.key()
}

// interval returns an interval predicate, without Scan ranges or with ranges that contain a key of
// every match.
func (d dice) interval() store.Pred {
	end := func() string {
		if d.oneIn(3) {
			return ""
		}
		return d.digit()
	}
	s := store.Interval{Prefix: "s", Width: 1, LoMin: end(), LoMax: end(), HiMin: end(), HiMax: end()}
	// A key with the prefix begins with a digit between min and max.
	scan := func(prefix store.Key, min, max string) {
		r := store.WithPrefix(prefix)
		if min != "" {
			r.Low = prefix + store.Key(min)
		}
		if max != "" {
			r.High = prefix + store.Key(max)
		}
		if mid := prefix + "3"; d.oneIn(2) && r.Low < mid && mid < r.High {
			s.Scan = append(s.Scan, store.Range{Low: mid, High: r.High})
			r.High = mid
		}
		s.Scan = append(s.Scan, r)
	}
	switch d.IntN(5) {
	case 0: // a verifying key, which cannot drive
		s.Prefix = "\x80s"
		if d.oneIn(2) {
			scan("\x80s", s.LoMin, s.LoMax)
		}
	case 1:
		// without Scan
	case 2:
		scan("e", s.HiMin, s.HiMax)
	case 3:
		s.Prefix, s.Skip = "", 1
	default:
		scan("s", s.LoMin, s.LoMax)
	}
	return s
}

// write returns a write of an address with the newest version newest. Most writes are valid.
func (d dice) write(ref store.Ref, newest store.Doc, now int) store.Write {
	expect := newest.Version
	if d.oneIn(15) {
		expect += uint64(d.IntN(3))
		expect -= min(expect, 1)
	}
	keyRevision := newest.KeyRevision
	if expect == 0 {
		keyRevision = 0
	} else if d.oneIn(15) {
		keyRevision = uint64(d.IntN(3))
	}
	doc := store.Doc{Ref: ref, Version: expect + 1, Updated: instantAt(now + d.IntN(3)), RowID: d.rowID(), Source: pick(d, "", "RX1", "RX2"), Keys: d.keys(), Body: fmt.Append(nil, ref, now, d.Uint32()), KeyRevision: uint64(d.IntN(3))}
	switch {
	case expect == 0:
		doc.Origin = pick(d, store.Created, store.Upserted)
	case d.oneIn(4):
		doc.Origin, doc.Body = store.Deleted, nil
		doc.Keys, doc.Source, doc.RowID = newest.Keys, newest.Source, newest.RowID
	case d.oneIn(4):
		doc.Version = expect
		return store.Write{Doc: doc, Expect: expect, KeyRevision: keyRevision, Rekey: true}
	default:
		doc.Origin = store.Updated
		if d.oneIn(2) {
			doc.RowID = newest.RowID
		}
	}
	return store.Write{Doc: doc, Expect: expect, KeyRevision: keyRevision}
}

func (d dice) query() store.Query {
	q := store.Query{Type: d.typ(), Where: d.pred(3), KeysOnly: d.oneIn(2)}
	if d.oneIn(4) { // like a search: a compartment, a type and a condition
		frequentKey := func() store.Pred { return store.Eq{Key: pick[store.Key](d, "a", "a\x00", "ab", "b")} }
		q.Where = store.And{frequentKey(), frequentKey(), d.pred(2)}
	}
	if d.oneIn(5) {
		q.Type, q.Where = "", d.crossTypePred()
	}
	if d.oneIn(3) {
		after := d.rowID()
		q.After = &after
	}
	if d.oneIn(4) {
		q.Partitions = d.partitions()
	}
	return q
}

// partitions returns some partitions with documents, and one without.
func (d dice) partitions() []store.Partition {
	out := make([]store.Partition, d.IntN(4), 5)
	for i := range out {
		out[i] = d.rowID().Partition
	}
	if d.oneIn(3) {
		out = append(out, 3)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// crossTypePred returns a predicate over documents of every type.
func (d dice) crossTypePred() store.Pred {
	p := store.Pred(store.Eq{Key: pick[store.Key](d, "\x00\x00", "\x00\x00c", "\x00\x00c", "\x00\x00d")})
	if d.oneIn(2) {
		p = store.And{d.pred(2), store.And{p, d.pred(1)}}
	}
	return p
}

// oneKeyQuery returns a query for the documents with one key, or for all.
func (d dice) oneKeyQuery() store.Query {
	q := store.Query{Type: d.typ(), Where: store.Eq{Key: pick[store.Key](d, "a", "a\x00", "ab", "b", "s", "n1", "\x80x")}, KeysOnly: true}
	switch d.IntN(7) {
	case 6:
		q.Type, q.Where = "", d.crossTypePred()
	case 0:
		q.Where = store.And{}
	case 1:
		q.Where = store.And{q.Where, store.And{}}
	case 2:
		q.Where = store.Or{q.Where}
	}
	return q
}
