package index

import (
	"carerecord/store"
)

// Version is the version of the grammar in doc.go. A change that gives a resource other keys
// increases it, and stores are reindexed.
const Version = 7

// The class byte of a key, after the number of its parameter. doc.go has the grammar of the
// values.
const (
	classCode           = 'c' // token: code as written
	classFolded         = 'f' // token: code folded
	classPhone          = 'p' // token: digits of a phone number
	classSystem         = 's' // token: system 0 code
	classStart          = 'a' // string: folded
	classWord           = 'b' // string: folded, from a later word on
	classPostal         = 'z' // string: folded, without spaces
	classDate           = 'd' // date: unit, start, end
	classDateEnd        = 'e' // date: end, start of an interval
	classNumber         = 'n' // number: p point, or v start end
	classNumberEnd      = 'm' // number: end, start of an interval
	classCanonical      = 'q' // quantity: dimension 0, then as classNumber
	classCanonicalEnd   = 'o' // quantity: dimension 0, then as classNumberEnd
	classRef            = 'r' // reference: Type/id or address
	classURI            = 'u' // uri as written
	classPosition       = 'g' // special: cell, latitude, longitude
	classContent        = 'x' // _text, _content: a word
	classPair           = 'k' // composite: folded code 0, then class and value of the second part
	classLogical        = 'i' // reference: system 0 folded value of its identifier
	classLogicalValue   = 'j' // reference: folded value of its identifier
	classContainedType  = 'h' // reference: type of a contained resource that it refers to
	classOtherPartition = 'w' // reference: nothing; to a Patient of another partition than the document's

	// After a number with the high bit: verifying keys.
	classPresent        = 'P' // presence: nothing
	classExact          = 'X' // string: in canonical composition
	classLong           = 'L' // string: folded, whole, where longer than classStart holds
	classText           = 'W' // token: folded text or display
	classIdentifierType = 'O' // token: system 0 code 0 folded value of an identifier and its type
	classContainedKeys  = 'H' // reference: type 0 keys of a contained resource, each after its length
	classVersion        = 'V' // reference or uri with its version
	classUnit           = 'Q' // quantity: system 0 code 0, then as classNumber, of units that are not converted
	classUnitText       = 'T' // quantity: code or unit 0, then as classNumber
	classUnitSystem     = 'Y' // quantity: system 0, then as classNumber
	classTuple          = 'G' // composite: the keys of all parts of one element, each after its length
)

// verifies is set in the number of a verifying key.
const verifies = 0x8000

// prefix returns the first bytes of the keys of a parameter and a class.
func prefix(number uint16, class byte) store.Key {
	return store.Key([]byte{byte(number >> 8), byte(number), class})
}

// numberOf returns the number of the parameter of a key of at least two bytes.
func numberOf(k store.Key) uint16 { return (uint16(k[0])<<8 | uint16(k[1])) &^ verifies }

// builder collects the keys of one resource in one buffer.
type builder struct {
	buf           []byte
	ends          []int
	lastConverted amount // cache of withBase: several parameters read one amount
}

func (b *builder) reset() { b.buf, b.ends, b.lastConverted = b.buf[:0], b.ends[:0], amount{} }

// begin starts a key. Bytes appended to buf until end are its value.
func (b *builder) begin(number uint16, class byte) {
	b.buf = append(b.buf, byte(number>>8), byte(number), class)
}

func (b *builder) end() { b.ends = append(b.ends, len(b.buf)) }

// add adds a key whose value is the concatenated parts.
func (b *builder) add(number uint16, class byte, parts ...string) {
	b.begin(number, class)
	for _, part := range parts {
		b.buf = append(b.buf, part...)
	}
	b.end()
}

// keys returns the keys sorted and distinct.
func (b *builder) keys() []store.Key {
	all := string(b.buf)
	keys := make([]store.Key, len(b.ends))
	start := 0
	for i, end := range b.ends {
		keys[i] = store.Key(all[start:end])
		start = end
	}
	return store.Sorted(keys)
}

// eq returns the predicate of one key.
func eq(number uint16, class byte, parts ...string) store.Pred {
	k := prefix(number, class)
	for _, part := range parts {
		k += store.Key(part)
	}
	return store.Eq{Key: k}
}

// withPrefix returns the predicate of all keys that begin with the concatenated parts.
func withPrefix(number uint16, class byte, parts ...string) store.Pred {
	k := prefix(number, class)
	for _, part := range parts {
		k += store.Key(part)
	}
	return store.WithPrefix(k)
}

// anyOf returns the Or of predicates, or the only one.
func anyOf(preds ...store.Pred) store.Pred {
	if len(preds) == 1 {
		return preds[0]
	}
	return store.Or(preds)
}
