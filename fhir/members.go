package fhir

import (
	"bytes"

	"github.com/tidwall/gjson"
)

// members calls f with each member of an object, its name in quotes, until f returns false. body
// is a compact object that Parse accepted. It is not copied.
func members(body []byte, f func(quoted, value []byte) bool) {
	for i := 1; i < len(body) && body[i] == '"'; i++ { // members are separated by one comma
		colon := skipText(body, i)
		end := skip(body, colon+1)
		if !f(body[i:colon], body[colon+1:end]) {
			return
		}
		i = end
	}
}

// named returns a member's name without quotes and escapes.
func named(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		return []byte(gjson.ParseBytes(quoted).Str)
	}
	return quoted[1 : len(quoted)-1]
}

// skip returns the end of the value that begins at i.
func skip(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = skipText(b, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // after a number or a word
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}

// skipText returns the end of the string that begins at i.
func skipText(b []byte, i int) int {
	for i++; i < len(b); i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			break
		}
		i += n
		back := 0
		for b[i-1-back] == '\\' {
			back++
		}
		if back%2 == 0 {
			return i + 1
		}
	}
	return len(b)
}
