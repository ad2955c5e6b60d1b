package index

import (
	"strings"

	"carerecord/store"
	"carerecord/store/wire"
)

// tupleMatch is the set of the tuples that satisfy a predicate over the keys of their parts.
type tupleMatch struct{ match store.Pred }

// Has reports whether an encoded tuple is a member.
func (t tupleMatch) Has(tuple string) bool {
	keys, ok := splitKeys(tuple)
	return ok && store.Match(t.match, keys)
}

// splitKeys decodes keys that are each written after their length.
func splitKeys(tuple string) (keys []store.Key, ok bool) {
	r := wire.NewReader(tuple)
	for r.Len() > 0 {
		key := r.Text()
		if r.Failed() {
			return nil, false
		}
		keys = append(keys, store.Key(key))
	}
	return keys, true
}

// compositePred compares tuples: each part by its own rules, all within one element (SRCH-120,
// 122).
func (x *Indexer) compositePred(typ string, p *param, value string) (store.Pred, error) {
	if either := p.composition.unionOf; either != nil {
		first, err := x.compositePred(typ, either[0], value)
		if err != nil {
			return nil, err
		}
		second, err := x.compositePred(typ, either[1], value)
		return store.Or{first, second}, err
	}
	texts, err := Split(value, '$')
	if err != nil {
		return nil, err
	}
	if len(texts) != len(p.composition.parts) {
		return nil, fault("value", "%s: %q has %d parts joined by $, not %d.", p.Code, value, len(texts), len(p.composition.parts))
	}
	all := make(store.And, len(texts))
	for i, part := range p.composition.parts {
		if texts[i] == "" {
			return nil, fault("value", "%s: %q lacks a value for %s.", p.Code, value, part.Code)
		}
		if all[i], err = x.predicateOf(typ, part, "", texts[i]); err != nil {
			return nil, err
		}
	}
	verify := store.In{Prefix: prefix(p.number|verifies, classTuple), Set: tupleMatch{all}}
	if lead := x.drivingPred(typ, p, texts, all); lead != nil {
		return store.And{lead, verify}, nil
	}
	return verify, nil
}

// drivingPred returns a predicate that every match satisfies and that can drive an index, or nil.
func (x *Indexer) drivingPred(typ string, p *param, texts []string, all store.And) store.Pred {
	first := p.composition.parts[0]
	if !p.composition.hasPairKeys {
		of, err := x.served(typ, first.Code)
		if err != nil {
			return nil
		}
		lead, err := x.predicateOf(typ, of, "", texts[0])
		if err != nil {
			return nil
		}
		return lead
	}
	parts, err := splitBars(texts[0])
	if err != nil || parts[len(parts)-1] == "" {
		return nil
	}
	of := prefix(p.number, classPair) + store.Key(foldCode(parts[len(parts)-1])+"\x00")
	if lead := drivingPair(all[1], of); lead != nil {
		return lead
	}
	return store.WithPrefix(of)
}

// drivingPair turns the driving keys in a predicate of the second part into pair keys with the
// prefix of; nil if nothing can drive.
func drivingPair(p store.Pred, of store.Key) store.Pred {
	move := func(k store.Key) store.Key { return of + k[2:] }
	ranged := func(r store.Range) (store.Range, bool) {
		return store.Range{Low: move(r.Low), High: move(r.High)}, r.Low.Driving() && len(r.High) > 2 && r.High.Driving() && r.Low[2] != classSystem
	}
	switch p := p.(type) {
	case store.Eq:
		if p.Key.Driving() && p.Key[2] != classSystem {
			return store.Eq{Key: move(p.Key)}
		}
		if p.Key.Driving() { // classSystem: drive by the code
			return drivingPairOfCode(p.Key, of)
		}
	case store.Range:
		if r, ok := ranged(p); ok {
			return r
		}
	case store.Interval:
		if len(p.Scan) == 0 || !p.Prefix.Driving() {
			return nil
		}
		s := p
		s.Prefix, s.Scan = move(p.Prefix), nil
		for _, r := range p.Scan {
			moved, ok := ranged(r)
			if !ok {
				return nil
			}
			s.Scan = append(s.Scan, moved)
		}
		return s
	case store.And:
		for _, q := range p {
			if lead := drivingPair(q, of); lead != nil {
				return lead
			}
		}
	case store.Or:
		any := make(store.Or, len(p))
		for i, q := range p {
			if any[i] = drivingPair(q, of); any[i] == nil {
				return nil
			}
		}
		return any
	case store.Contains, store.In, store.Not, store.VerifyOnly:
	}
	return nil
}

// drivingPairOfCode is drivingPair for a system|code of the second part: it drives by the code.
func drivingPairOfCode(k, of store.Key) store.Pred {
	_, code, _ := strings.Cut(string(k[3:]), "\x00")
	if code == "" {
		return nil
	}
	return store.Or{
		store.Eq{Key: of + classCodeKey + store.Key(code)},
		store.Eq{Key: of + classFoldedKey + store.Key(foldCode(code))},
	}
}

// The classes as keys, for concatenation.
const (
	classCodeKey   store.Key = "c"
	classFoldedKey store.Key = "f"
)
