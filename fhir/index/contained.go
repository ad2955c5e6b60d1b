package index

import (
	"slices"

	"carerecord/fhir/path"
	"carerecord/store"
)

// Limits of the keys of contained resources, which chains use.
const (
	maxContainedBytes     = 1 << 20 // bytes of keys of one document, approximately
	containedResourceCost = 256     // bytes that each visited contained resource counts
	maxContainedDepth     = 3       // references in a chain, from the container on
)

// noRoom replaces the keys of a contained resource that exceed the limits.
const noRoom = "\x00"

// containedTargets returns the contained resources to which references refer, each once.
func containedTargets(references []path.Value) []path.Value {
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

// addContained adds the keys by which chains over a reference parameter reach a contained
// resource (SRCH-135): a driving key of its type, and a verifying key with all its keys.
func (x *Indexer) addContained(w *scratch, b *builder, number uint16, c path.Value, depth int) {
	ti, err := x.standard.typeIndex(c.Type)
	if err != nil {
		return // not a resource type
	}
	b.add(number, classContainedType, c.Type)
	keys, ok := x.keysOfContained(w, ti, c, depth)
	b.begin(number|verifies, classContainedKeys)
	b.buf = append(append(b.buf, c.Type...), 0)
	if !ok {
		b.buf = append(b.buf, noRoom...)
	}
	for _, k := range keys {
		b.addKey(k)
	}
	b.end()
}

// keysOfContained returns the keys of a contained resource. It has no instant, and its id is not
// known outside (SRCH-107). Parameters of stored definitions have no keys there. It returns false
// if the keys exceed the limits.
func (x *Indexer) keysOfContained(w *scratch, ti *typeIndex, c path.Value, depth int) ([]store.Key, bool) {
	if w.containedRoom -= containedResourceCost; w.containedRoom < 0 || depth > maxContainedDepth {
		return nil, false
	}
	var b builder
	for _, p := range ti.keyed {
		switch p.Code {
		case "_id", "_lastUpdated", textParam, contentParam:
			continue
		}
		before := len(b.buf)
		x.paramKeys(w, &b, p, c, depth)
		if w.containedRoom -= len(b.buf) - before; w.containedRoom < 0 {
			return nil, false
		}
	}
	return b.keys(), true
}

// containedMatch is the set of the contained resources of a type that satisfy a predicate.
type containedMatch struct {
	typ   string
	match tupleMatch
	// matchUnknown: also those whose keys had no room.
	matchUnknown bool
}

// Has reports whether a contained resource, in the encoding of a key, is a member.
func (i containedMatch) Has(keys string) bool {
	if keys == noRoom {
		return i.matchUnknown
	}
	return i.match.Has(keys)
}

// containedBeforeCut is BeforeCut for a contained resource. One whose keys had no room may have
// keys after a cut.
func (x *Indexer) containedBeforeCut(i containedMatch) containedMatch {
	return containedMatch{i.typ, tupleMatch{x.BeforeCut(i.typ, i.match.match)}, true}
}

// RefersToContained returns the predicate of documents that refer, by a reference parameter, to a
// contained resource of a type that satisfies a predicate. No document matches if the predicate
// uses full text or a parameter of a stored definition. Errors are *Error.
func (x *Indexer) RefersToContained(typ, name, target string, where store.Pred) (store.Pred, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	if ti, err := x.typeIndex(target); err != nil || !ti.answeredByContained(where) {
		return store.Or{}, nil
	}
	return store.And{
		eq(p.number, classContainedType, target),
		store.In{Prefix: prefix(p.number|verifies, classContainedKeys) + store.Key(target+"\x00"), Set: containedMatch{typ: target, match: tupleMatch{where}}},
	}, nil
}

// ContainedKeys returns, from the keys of a document, the keys of each contained resource of a
// type to which it refers by a reference parameter. Those without room are omitted.
func (x *Indexer) ContainedKeys(typ, name, target string, keys []store.Key) ([][]store.Key, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	var out [][]store.Key
	for rest := range keysWithPrefix(keys, prefix(p.number|verifies, classContainedKeys)+store.Key(target+"\x00")) {
		if inner, ok := splitKeys(rest); ok && rest != noRoom {
			out = append(out, inner)
		}
	}
	return out, nil
}

// answeredByContained reports whether a predicate uses only parameters that contained resources
// have keys of: those of the standard, without full text.
func (ti *typeIndex) answeredByContained(p store.Pred) bool {
	known := func(k store.Key) bool {
		n := numberOf(k)
		return n < FirstDefined && !ti.wordNumbers[n]
	}
	every := func(list []store.Pred) bool {
		return !slices.ContainsFunc(list, func(q store.Pred) bool { return !ti.answeredByContained(q) })
	}
	switch p := p.(type) {
	case store.Eq:
		return known(p.Key)
	case store.Range:
		return known(p.Low)
	case store.Interval:
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
		return ti.answeredByContained(p.Pred)
	case store.VerifyOnly:
		return ti.answeredByContained(p.Pred)
	}
	return false
}
