package fhir

import (
	"bytes"

	"github.com/tidwall/gjson"
)

// members gives each member of an object to f, its name with its quotes, until
// f is false. body is a compact object that Parse accepted; nothing is copied.
func members(body []byte, f func(quoted, value []byte) bool) {
	for i := 1; i < len(body) && body[i] == '"'; i++ { // a comma stands between two
		colon := skipText(body, i)
		end := skip(body, colon+1)
		if !f(body[i:colon], body[colon+1:end]) {
			return
		}
		i = end
	}
}

// named is a member's name, without quotes and escapes.
func named(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		return []byte(gjson.ParseBytes(quoted).Str)
	}
	return quoted[1 : len(quoted)-1]
}

// skip returns where the value that begins at i ends.
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
			if depth == 0 { // behind a number or a word
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

// skipText returns where the string that begins at i ends.
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
