package index

import (
	"slices"

	"carerecord/fhir/path"
	"carerecord/store"
)

// How much of contained resources is kept for chains.
const (
	containedRoom = 1 << 20 // bytes of keys of one document, about
	containedCost = 256     // what each look at a contained resource takes of them
	containedDeep = 3       // references one behind the other, from the container on
)

// untold is in place of the keys of a contained resource that had no room.
const untold = "\x00"

// contained are the contained resources to which references lead, each once.
func contained(references []path.Value) []path.Value {
	var out []path.Value
	for _, v := range references {
		if v.Type == "Extension" {
			v, _ = v.Choice("value")
		}
		literal := v.Text()
		if v.Type == "Reference" {
			literal = v.GetText("reference")
		}
		if c, ok := v.Contained(literal); ok && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// contain makes the keys by which chains over a reference parameter reach into a
// contained resource (SRCH-135): its type, which drives, and all its keys as one.
func (x *Indexer) contain(w *work, b *builder, number uint16, c path.Value, depth int) {
	pl, err := x.standard.plan(c.Type)
	if err != nil {
		return // no type that anything can lead to
	}
	b.add(number, classHeld, c.Type)
	keys, ok := x.inside(w, pl, c, depth)
	b.begin(number|verifies, classInside)
	b.buf = append(append(b.buf, c.Type...), 0)
	if !ok {
		b.buf = append(b.buf, untold...)
	}
	for _, k := range keys {
		b.nested(k)
	}
	b.end()
}

// inside are the keys of a contained resource: it has no instant, and an id that
// means nothing outside (SRCH-107). Parameters that stored definitions bring have
// none: they are indexed where their type is, and containers are of another. It is
// false where there was no room for them.
func (x *Indexer) inside(w *work, pl *plan, c path.Value, depth int) ([]store.Key, bool) {
	if w.room -= containedCost; w.room < 0 || depth > containedDeep {
		return nil, false
	}
	var b builder
	for _, p := range pl.order {
		switch p.Code {
		case "_id", "_lastUpdated", textParam, contentParam:
			continue
		}
		before := len(b.buf)
		x.collect(w, &b, p, c, depth)
		if w.room -= len(b.buf) - before; w.room < 0 {
			return nil, false
		}
	}
	return b.keys(), true
}

// inside is the set of the contained resources of a type that satisfy a predicate.
type inside struct {
	typ   string
	where tuples
	// untold: also those of which nothing is known.
	untold bool
}

// Has reports whether a contained resource, as a key holds it, is one of them.
func (i inside) Has(keys string) bool {
	if keys == untold {
		return i.untold
	}
	return i.where.Has(keys)
}

// insideBeforeCut is BeforeCut of what is asked of a contained resource. One that
// had no room may have some after a cut.
func (x *Indexer) insideBeforeCut(i inside) inside {
	return inside{i.typ, tuples{x.BeforeCut(i.typ, i.where.where)}, true}
}

// RefersToContained is what a document must satisfy to refer, by a reference parameter,
// to a contained resource of a type that satisfies a predicate. Nothing does where
// the predicate asks for full text, or for a parameter that is not the standard's. Errors are *Error.
func (x *Indexer) RefersToContained(typ, name, target string, where store.Pred) (store.Pred, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	if pl, err := x.plan(target); err != nil || !pl.asksInside(where) {
		return store.Or{}, nil
	}
	return store.And{
		eq(p.number, classHeld, target),
		store.In{Prefix: prefix(p.number|verifies, classInside) + store.Key(target+"\x00"), Set: inside{typ: target, where: tuples{where}}},
	}, nil
}

// ContainedKeys returns the keys of each contained resource of a type to which a document
// refers by a reference parameter, from the keys of the document. Those without
// room are left out.
func (x *Indexer) ContainedKeys(typ, name, target string, keys []store.Key) ([][]store.Key, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	var out [][]store.Key
	for rest := range below(keys, prefix(p.number|verifies, classInside)+store.Key(target+"\x00")) {
		if inner, ok := parted(rest); ok && rest != untold {
			out = append(out, inner)
		}
	}
	return out, nil
}

// asksInside reports whether a predicate asks for such parameters alone as contained
// resources have keys of: those of the standard, full text left out.
func (pl *plan) asksInside(p store.Pred) bool {
	known := func(k store.Key) bool {
		n := numberOf(k)
		return n < FirstDefined && !pl.full[n]
	}
	every := func(list []store.Pred) bool {
		return !slices.ContainsFunc(list, func(q store.Pred) bool { return !pl.asksInside(q) })
	}
	switch p := p.(type) {
	case store.Eq:
		return known(p.Key)
	case store.Range:
		return known(p.Low)
	case store.Span:
		return known(p.Prefix)
	case store.Contains:
		return known(p.Prefix)
	case store.In:
		return known(p.Prefix)
	case store.And:
		return every(p)
	case store.Or:
		return every(p)
	case store.Not:
		return pl.asksInside(p.Pred)
	case store.VerifyOnly:
		return pl.asksInside(p.Pred)
	}
	return false
}
