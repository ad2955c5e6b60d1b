package index

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"

	"carerecord/store"
)

// Decoded is a decoded key, for tools that show a store to an operator.
type Decoded struct {
	Name    string // of the fact, or Type.code of the search parameter
	Class   string // the letter of the class; empty for a fact
	Meaning string // of the fact or class, from the tables of the package documentation
	Value   string // the pieces of the value, each with its name
}

// Decode decodes a key. It returns false for bytes that are not a key of this grammar.
func Decode(k store.Key) (Decoded, bool) {
	if f, ok := factOf(k); ok {
		value, ok := decodePieces(f.value, string(k[len(f.prefix):]))
		return Decoded{Name: f.name, Meaning: f.meaning, Value: value}, ok
	}
	if IsFact(k) || len(k) < 3 {
		return Decoded{}, false
	}
	c, ok := classOf(k)
	if !ok {
		return Decoded{}, false
	}
	number := numberOf(k)
	name, known := paramNames()[number]
	out := Decoded{Name: name.typ + "." + name.code, Class: string(rune(c.class)), Meaning: c.meaning}
	if number >= FirstDefined {
		out.Name, known = fmt.Sprintf("defined parameter %d", number), true
	}
	out.Value, ok = decodePieces(c.value, string(k[3:]))
	return out, ok && known
}

// factOf returns the fact to which a key belongs.
func factOf(k store.Key) (keyFact, bool) {
	for _, f := range facts() {
		if strings.HasPrefix(string(k), string(f.prefix)) {
			return f, true
		}
	}
	return keyFact{}, false
}

// classOf returns the class of a key of a parameter that is at least three bytes long.
func classOf(k store.Key) (keyClass, bool) {
	for _, c := range classes() {
		if c.class == k[2] && c.verifies == (k[0] >= verifies>>8) {
			return c, true
		}
	}
	return keyClass{}, false
}

// decodePieces decodes a whole value.
func decodePieces(pieces []piece, value string) (string, bool) {
	var out []string
	for i, p := range pieces {
		text, n, ok := p.decode(value, i == len(pieces)-1)
		if !ok {
			return "", false
		}
		out, value = append(out, p.name+" "+text), value[n:]
	}
	return strings.Join(out, ", "), value == ""
}

// decode decodes a piece at the beginning of a value and returns its length.
func (p piece) decode(value string, last bool) (text string, n int, ok bool) {
	switch p.kind {
	case asText:
		text, _, ended := strings.Cut(value, "\x00")
		if n = len(text); !last {
			n++
		}
		return fmt.Sprintf("%q", text), n, ended != last
	case asUnit:
		if value == "" {
			return "", 0, false
		}
		text, ok = unit(value[0]).name()
		return text, 1, ok
	case asMoment:
		if len(value) < dateWidth {
			return "", 0, false
		}
		return decodeMoment(value[:dateWidth]), dateWidth, true
	case asEnd:
		text, ok = decodeEnd(value)
		return text, numberWidth, ok
	case asAmount:
		return decodeAmount(value)
	case asCell:
		return fmt.Sprintf("%x", value[:min(len(value), cellWidth)]), cellWidth, len(value) >= cellWidth
	case asDegree:
		if len(value) < 8 {
			return "", 0, false
		}
		return fmt.Sprint(math.Float64frombits(binary.BigEndian.Uint64([]byte(value[:8])))), 8, true
	case asKey:
		text, ok = decodeSecond(value)
		return text, len(value), ok
	case asKeys, asParts:
		text, ok = decodeNested(value, p.kind == asParts)
		return text, len(value), ok
	}
	return "", 0, false
}

// name returns a word for the precision.
func (u unit) name() (string, bool) {
	switch u {
	case unitYear:
		return "year", true
	case unitMonth:
		return "month", true
	case unitDay:
		return "day", true
	case unitMinute:
		return "minute", true
	case unitSecond:
		return "second", true
	case unitFraction:
		return "fraction of a second", true
	case unitInstant:
		return "instant", true
	case unitInterval:
		return "interval", true
	}
	return "", false
}

// decodeMoment reads dateWidth bytes.
func decodeMoment(s string) string {
	var m moment
	for i := range 5 {
		m.sec = m.sec<<8 | int64(s[i])
	}
	m.nano = int32(binary.BigEndian.Uint32([]byte(s[5:dateWidth])))
	switch {
	case s == forever().String():
		return "end of time"
	case m == moment{}:
		return "beginning of time"
	}
	return time.Unix(m.sec+yearOne, int64(m.nano)).UTC().Format(time.RFC3339Nano)
}

// decodeEnd reads the number at the beginning of a value.
func decodeEnd(s string) (string, bool) {
	if len(s) < numberWidth {
		return "", false
	}
	switch s = s[:numberWidth]; s {
	case lowest:
		return "lowest", true
	case highest:
		return "highest", true
	}
	text := decode(s).text()
	lo, hi := "", ""
	if d, err := parseDecimal(text); err == nil {
		lo, hi = d.encode()
	}
	return text, lo == s && hi == s // otherwise these bytes encode no number
}

// text writes a number, with an exponent where it would be long.
func (d decimal) text() string {
	sign, n := "", len(d.digits)
	if d.negative {
		sign = "-"
	}
	switch {
	case n == 0:
		return "0"
	case d.exponent > 2*numberDigits || d.exponent < -numberDigits:
		return fmt.Sprintf("%s0.%se%d", sign, d.digits, d.exponent)
	case d.exponent <= 0:
		return sign + "0." + strings.Repeat("0", -d.exponent) + d.digits
	case d.exponent >= n:
		return sign + d.digits + strings.Repeat("0", d.exponent-n)
	}
	return sign + d.digits[:d.exponent] + "." + d.digits[d.exponent:]
}

// decodeAmount reads a point or an interval.
func decodeAmount(s string) (text string, n int, ok bool) {
	switch {
	case strings.HasPrefix(s, pointMark):
		text, ok = decodeEnd(s[1:])
		return text, 1 + numberWidth, ok
	case strings.HasPrefix(s, intervalMark):
		lo, ok := decodeEnd(s[1:])
		if !ok {
			return "", 0, false
		}
		hi, ok := decodeEnd(s[1+numberWidth:])
		return "from " + lo + " to " + hi, 1 + 2*numberWidth, ok
	}
	return "", 0, false
}

// decodeSecond decodes class and value of the second part of a pair.
func decodeSecond(s string) (string, bool) {
	if s == "" {
		return "none", true
	}
	for _, c := range classes() {
		if !c.verifies && c.class == s[0] {
			value, ok := decodePieces(c.value, s[1:])
			return "(" + strings.TrimSpace(s[:1]+" "+value) + ")", ok
		}
	}
	return "", false
}

// decodeNested decodes the keys of a tuple, whose numbers are those of its parts, or those of a
// contained resource.
func decodeNested(s string, parts bool) (string, bool) {
	if s == noRoom {
		return "unknown: the limit was reached", !parts
	}
	keys, ok := splitKeys(s)
	if !ok {
		return "", false
	}
	var out []string
	for _, k := range keys {
		if len(k) < 3 {
			return "", false
		}
		c, known := classOf(k)
		value, ok := decodePieces(c.value, string(k[3:]))
		if !known || !ok {
			return "", false
		}
		name := fmt.Sprintf("part %d", numberOf(k))
		if !parts {
			of := paramNames()[numberOf(k)]
			name = of.typ + "." + of.code
		}
		out = append(out, "("+strings.TrimSpace(name+" "+string(rune(c.class))+" "+value)+")")
	}
	return strings.Join(out, " "), true
}

// DateOfSortKey returns the clinical date of a sort key in whole seconds, or false if it has
// none.
func DateOfSortKey(o store.SortKey) (time.Time, bool) {
	d := Date(o[:len(Date{})])
	if d == noDate() {
		return time.Time{}, false
	}
	var sec int64
	for _, b := range d {
		sec = sec<<8 | int64(^b)
	}
	return time.Unix(sec+yearOne, 0).UTC(), true
}
