package store

import (
	"slices"
	"strings"
)

// Key is one fact that a search can ask about, built by fhir/index alone and
// ordered by its bytes. A key whose first byte is below 0x80 is driving: the
// engines post it in an index and may propose candidates from it. All others
// only verify: they are kept with the document and read by Match.
type Key string

// Driving reports whether the key is posted in the index, under the type of its
// document.
func (k Key) Driving() bool { return k != "" && k[0] < 0x80 && !k.CrossType() }

// CrossType reports whether the key is posted under no type: it begins with two zero
// bytes. A Query without a type asks one, of documents of every type.
func (k Key) CrossType() bool { return strings.HasPrefix(string(k), "\x00\x00") }

// CrossTypeKey returns the first common key that a predicate asks for with everything
// else: its own, or one of a member of a conjunction.
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
	case Range, Span, Contains, In, Or, Not, VerifyOnly:
	}
	return "", false
}

// Pred is a predicate over the keys of one document: the closed sum of the
// types below. Match gives its meaning.
//
//sumtype:decl
type Pred interface{ pred() }

// Eq holds if the document has exactly this key.
type Eq struct{ Key Key }

// Range holds if the document has a key k with Low <= k < High. An empty High
// is no upper bound.
type Range struct{ Low, High Key }

// Driving reports whether every key of the range is posted under its type.
func (r Range) Driving() bool { return r.Low >= "\x00\x01" && r.High != "" && r.High <= "\x80" }

// Span asks one interval about another. The keys under Prefix hold, after Skip
// more bytes, the two ends of an interval, each Width bytes and ordered by
// their bytes; a key without room for the second end holds a point, whose ends
// are equal. Span holds if one such key has LoMin <= lo < LoMax and
// HiMin <= hi < HiMax; an empty bound does not bind.
//
// Scan is how an index may propose candidates: every document that matches has
// a key in at least one of these ranges. It has no part in the meaning. Without
// Scan a Span cannot drive.
type Span struct {
	Prefix       Key
	Skip, Width  int
	LoMin, LoMax string
	HiMin, HiMax string
	Scan         []Range
}

// Contains holds if a key under Prefix has Text somewhere behind the prefix.
// It never drives.
type Contains struct {
	Prefix Key
	Text   string
}

// In holds if a key under Prefix is, behind the prefix, a member of Set. It
// never drives.
type In struct {
	Prefix Key
	Set    Set
}

// Set is a set of names, safe for concurrent use. A Set that cannot know must
// panic with nothing and answer as its owner's fail-closed rule says.
type Set interface{ Has(name string) bool }

// And holds if all of its members do. The empty And always holds.
type And []Pred

// Or holds if one of its members does. The empty Or never holds.
type Or []Pred

// Not holds if its member does not.
type Not struct{ Pred Pred }

// VerifyOnly holds if its member does. It never drives an index: nearly every document
// satisfies it, so the postings of its keys would propose nearly everything.
type VerifyOnly struct{ Pred Pred }

func (Eq) pred()         {}
func (Range) pred()      {}
func (Span) pred()       {}
func (Contains) pred()   {}
func (In) pred()         {}
func (And) pred()        {}
func (Or) pred()         {}
func (Not) pred()        {}
func (VerifyOnly) pred() {}

// WithPrefix is the range of all keys that begin with prefix.
func WithPrefix(prefix Key) Range { return Range{Low: prefix, High: PrefixEnd(prefix)} }

// PrefixEnd returns the first key behind all keys that begin with prefix, or the
// empty key if there is none.
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

func (s Span) holds(k Key) bool {
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
	return within(lo, s.LoMin, s.LoMax) && within(hi, s.HiMin, s.HiMax)
}

func within(v, min, max string) bool {
	return (min == "" || v >= min) && (max == "" || v < max)
}

func (c Contains) holds(k Key) bool { return strings.Contains(string(k[len(c.Prefix):]), c.Text) }

func (i In) holds(k Key) bool { return i.Set.Has(string(k[len(i.Prefix):])) }

// DecidedByPostings reports whether postings alone decide a predicate: no document has to be looked
// at to count what matches. It goes by the shape of the question and by nothing that
// stands in a store.
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
	case Span, Contains, In, Not, VerifyOnly:
	}
	return false
}
