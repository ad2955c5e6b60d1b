package validate

import (
	"fmt"
	"math"

	"carerecord/fhir"
)

// kind is a primitive type, or the class of a type that is not primitive.
type kind byte

// The kinds, in the order of kindNames.
const (
	kindBoolean kind = iota
	kindInteger
	kindPositiveInt
	kindUnsignedInt
	kindDecimal
	kindString
	kindMarkdown
	kindURI
	kindURL
	kindCanonical
	kindCode
	kindID
	kindOID
	kindUUID
	kindBase64
	kindDate
	kindDateTime
	kindInstant
	kindTime
	kindXHTML
	kindComplex // an object of known elements
	kindResource
)

// kindNames are the names of the primitive types.
var kindNames = [kindComplex]string{"boolean", "integer", "positiveInt", "unsignedInt", "decimal", "string", "markdown", "uri", "url",
	"canonical", "code", "id", "oid", "uuid", "base64Binary", "date", "dateTime", "instant", "time", "xhtml"}

// expectedForm describes the valid values of each kind, for error texts.
var expectedForm = [kindComplex]string{
	kindInteger:     "a whole number from -2147483648 to 2147483647, without leading zeros, fraction or exponent",
	kindPositiveInt: "a whole number from 1 to 2147483647, without fraction or exponent",
	kindUnsignedInt: "a whole number from 0 to 2147483647, without fraction or exponent",
	kindDecimal:     "a JSON number",
	kindString:      "at most 1 MiB, without control characters except tab, line feed and carriage return",
	kindMarkdown:    "at most 1 MiB, without control characters except tab, line feed and carriage return",
	kindURI:         "a URI without white space",
	kindURL:         "a URL without white space",
	kindCanonical:   "a canonical URL without white space, optionally followed by |version",
	kindCode:        "a code: no leading, trailing or repeated white space",
	kindID:          "1 to 64 letters, digits, hyphens and dots",
	kindOID:         "urn:oid: and numbers separated by dots, of which the first is 0, 1 or 2",
	kindUUID:        "urn:uuid: and a UUID in lower case",
	kindBase64:      "base64 (RFC 4648, section 4) with its padding",
	kindDate:        "a day, month or year of the calendar: YYYY-MM-DD, YYYY-MM or YYYY",
	kindDateTime:    "YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a zone (Z or +hh:mm); the day and time must exist",
	kindInstant:     "YYYY-MM-DDThh:mm:ss with optional fractions of a second and a zone (Z or +hh:mm); the day and time must exist",
	kindTime:        "hh:mm:ss from 00:00:00 to 23:59:59, without a zone",
}

// maxString is the maximum length of a string in bytes (datatypes.html#string).
const maxString = 1 << 20

// maxNumber is the maximum length of a number in characters, the same as in fhir.Parse.
const maxNumber = 300

// primitive reads and tests the value of a primitive. c is the first byte of the value.
func (w *walker) primitive(p *prop, c byte) {
	switch {
	case c == '{' || c == '[':
		w.fault("structure", fmt.Sprintf("%s is a primitive (%s): its extensions belong in _%s.", p.name, p.typ, p.name))
		w.skip()
	case p.kind == kindBoolean:
		if word := w.literal(c); word != "true" && word != "false" {
			w.fault("structure", p.name+" must be true or false, without quotes.")
		}
	case p.kind <= kindDecimal:
		w.number(p, c)
	case c != '"':
		w.fault("structure", fmt.Sprintf("%s (%s) must be a JSON string, in quotes.", p.name, p.typ))
		w.skip()
	default:
		raw, escaped := w.text()
		if w.broken {
			return
		}
		if escaped {
			raw = unescape(raw)
		}
		w.stringValue(p, raw, escaped)
	}
}

// literal reads true or false. It returns the empty string for anything else.
func (w *walker) literal(c byte) string {
	if c != 't' && c != 'f' {
		w.skip()
		return ""
	}
	switch string(w.bareToken()) {
	case "true":
		return "true"
	case "false":
		return "false"
	}
	w.stop()
	return ""
}

func (w *walker) number(p *prop, c byte) {
	if c != '-' && (c < '0' || c > '9') {
		w.fault("structure", fmt.Sprintf("%s (%s) must be a JSON number, without quotes.", p.name, p.typ))
		w.skip()
		return
	}
	word := w.bareToken()
	if p.kind == kindDecimal {
		if len(word) > maxNumber {
			w.fault("value", fmt.Sprintf("The number has more than %d characters.", maxNumber))
		}
		return
	}
	least := int64(math.MinInt32)
	switch p.kind {
	case kindPositiveInt:
		least = 1
	case kindUnsignedInt:
		least = 0
	default: // an integer
	}
	if n, ok := parseInteger(word); !ok || n < least || n > math.MaxInt32 {
		w.invalidValue(p)
	}
}

// parseInteger reads a whole number of up to ten digits.
func parseInteger(s []byte) (n int64, ok bool) {
	digits := s
	if s[0] == '-' {
		digits = s[1:]
	}
	if len(digits) == 0 || len(digits) > 10 || digits[0] == '0' && len(s) > 1 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if s[0] == '-' {
		n = -n
	}
	return n, true
}

// stringValue tests the unescaped value of a string by its kind.
func (w *walker) stringValue(p *prop, s []byte, escaped bool) {
	if len(s) == 0 {
		w.fault("structure", "The string is empty: leave the element out.")
		return
	}
	switch p.kind {
	case kindXHTML:
		if code, text := narrative(s); code != "" {
			w.fault(code, text)
		}
		return
	case kindCode:
		if isCode(s) && p.binding != nil {
			if _, ok := p.binding.set.System(string(s)); !ok {
				w.faultOrWarning("code-invalid", p.binding.refusalText(string(s)))
			}
			return
		}
	default:
	}
	if !hasFormOf(p.kind, s, escaped) {
		w.invalidValue(p)
	}
}

// invalidValue adds the fault of a value that does not have the form of its type.
func (w *walker) invalidValue(p *prop) {
	w.fault("value", fmt.Sprintf("%s is not a valid %s: it must be %s.", p.name, p.typ, expectedForm[p.kind]))
}

// hasFormOf reports whether s has the lexical form of a kind. escaped reports whether s was written with
// escapes: otherwise it cannot contain control characters.
func hasFormOf(k kind, s []byte, escaped bool) bool {
	switch k {
	case kindString, kindMarkdown:
		return len(s) <= maxString && !(escaped && hasControls(s))
	case kindURI, kindURL, kindCanonical:
		return !hasSpaceOrControls(s)
	case kindCode:
		return isCode(s)
	case kindID:
		return fhir.ValidID(string(s))
	case kindOID:
		return isOID(s)
	case kindUUID:
		return isUUID(s)
	case kindBase64:
		return isBase64(s)
	case kindDate:
		return isDate(s)
	case kindDateTime:
		return isDateTime(s)
	case kindInstant:
		return isInstant(s)
	case kindTime:
		return isTime(s)
	default: // kinds that are not strings
		return true
	}
}
