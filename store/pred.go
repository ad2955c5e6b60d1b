package store

import (
	"slices"
	"strings"
)

// Key is one searchable property of a document. Package fhir/index builds keys; they are
// ordered by their bytes. A key whose first byte is below 0x80 is driving: engines index it
// and may propose candidates from it. All others are verifying keys: they are stored with the
// document and read by Match.
type Key string

// Driving reports whether the key is indexed under the type of its document.
func (k Key) Driving() bool { return k != "" && k[0] < 0x80 && !k.CrossType() }

// CrossType reports whether the key is indexed under no type, so that a Query without a type
// finds documents of every type by it. It begins with two zero bytes.
func (k Key) CrossType() bool { return strings.HasPrefix(string(k), "\x00\x00") }

// CrossTypeKey returns the first cross-type key that every match of a predicate has: that of
// an Eq, or of a member of an And.
func CrossTypeKey(p Pred) (Key, bool) {
	switch p := p.(type) {
	case Eq:
		return p.Key, p.Key.CrossType()
	case And:
		for _, q := range p {
			if k, ok := CrossTypeKey(q); ok {
				return k, true
			}
		}
	case Range, Interval, Contains, In, Or, Not, VerifyOnly:
	}
	return "", false
}

// Pred is a predicate over the keys of one document. It is the closed sum of the types below.
// Match defines its meaning.
//
//sumtype:decl
type Pred interface{ pred() }

// Eq holds if the document has exactly this key.
type Eq struct{ Key Key }

// Range holds if the document has a key k with Low <= k < High. An empty High
// is no upper bound.
type Range struct{ Low, High Key }

// Driving reports whether every key of the range is a driving key.
func (r Range) Driving() bool { return r.Low >= "\x00\x01" && r.High != "" && r.High <= "\x80" }

// Interval compares stored intervals with bounds. A key under Prefix holds, after Skip more
// bytes, the lower and the upper end of an interval, each Width bytes and ordered by their
// bytes. A key that is too short for the upper end holds a point, whose ends are equal.
// Interval holds if one such key has LoMin <= lo < LoMax and HiMin <= hi < HiMax. An empty
// bound does not restrict.
//
// Scan lists ranges of keys for an index: every document that matches has a key in at least
// one of them. It does not change the meaning. Without Scan an Interval cannot drive.
type Interval struct {
	Prefix       Key
	Skip, Width  int
	LoMin, LoMax string
	HiMin, HiMax string
	Scan         []Range
}

// Contains holds if a key under Prefix contains Text after the prefix. It never drives.
type Contains struct {
	Prefix Key
	Text   string
}

// In holds if the rest of a key under Prefix is a member of Set. It never drives.
type In struct {
	Prefix Key
	Set    Set
}

// Set is a set of names, safe for concurrent use. Has must not panic: a Set that cannot decide
// must return the value that hides more.
type Set interface{ Has(name string) bool }

// And holds if all its members hold. The empty And always holds.
type And []Pred

// Or holds if a member holds. The empty Or never holds.
type Or []Pred

// Not holds if its member does not hold.
type Not struct{ Pred Pred }

// VerifyOnly holds if its member holds. It never drives an index: nearly every document
// satisfies it, so its postings would propose nearly everything.
type VerifyOnly struct{ Pred Pred }

func (Eq) pred()         {}
func (Range) pred()      {}
func (Interval) pred()   {}
func (Contains) pred()   {}
func (In) pred()         {}
func (And) pred()        {}
func (Or) pred()         {}
func (Not) pred()        {}
func (VerifyOnly) pred() {}

// WithPrefix returns the range of all keys that begin with prefix.
func WithPrefix(prefix Key) Range { return Range{Low: prefix, High: PrefixEnd(prefix)} }

// PrefixEnd returns the first key after all keys that begin with prefix, or the empty key if
// there is none.
func PrefixEnd(prefix Key) Key {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0xff {
			b[i]++
			return Key(b[:i+1])
		}
	}
	return ""
}

func (s Interval) matches(k Key) bool {
	rest := string(k[len(s.Prefix):])
	if len(rest) < s.Skip+s.Width {
		return false
	}
	rest = rest[s.Skip:]
	lo := rest[:s.Width]
	hi := lo
	if len(rest) >= 2*s.Width {
		hi = rest[s.Width : 2*s.Width]
	}
	return inBounds(lo, s.LoMin, s.LoMax) && inBounds(hi, s.HiMin, s.HiMax)
}

func inBounds(v, min, max string) bool {
	return (min == "" || v >= min) && (max == "" || v < max)
}

func (c Contains) matches(k Key) bool { return strings.Contains(string(k[len(c.Prefix):]), c.Text) }

func (i In) matches(k Key) bool { return i.Set.Has(string(k[len(i.Prefix):])) }

// DecidedByPostings reports whether postings alone decide a predicate, so that matches can be
// counted without reading a document. It depends on the form of the predicate only, not on
// stored data.
func DecidedByPostings(p Pred) bool {
	switch p := p.(type) {
	case Eq:
		return p.Key.Driving()
	case Range:
		return p.Driving()
	case And:
		if len(p) == 1 {
			return DecidedByPostings(p[0])
		}
		return !slices.ContainsFunc(p, func(q Pred) bool { e, ok := q.(Eq); return !ok || !e.Key.Driving() })
	case Or:
		return !slices.ContainsFunc(p, func(q Pred) bool { return !DecidedByPostings(q) })
	case Interval, Contains, In, Not, VerifyOnly:
	}
	return false
}
