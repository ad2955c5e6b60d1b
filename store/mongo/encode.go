package mongo

import (
	"strings"
	"unicode/utf8"

	"carerecord/store"
)

// encode encodes any bytes as valid UTF-8 without NUL that sorts as the bytes do, also when
// MongoDB compares the strings byte by byte. Each byte has its own code, no code is a prefix of
// another, and codes sort as their bytes:
//
//	00       → 01 01
//	01       → 01 02
//	02 … 7f  → itself
//	80 … ff  → U+0080 … U+00FF, two bytes
//
// ASCII text is unchanged.
func encode(b string) string {
	i := 0
	for i < len(b) && 0x02 <= b[i] && b[i] < 0x80 {
		i++
	}
	if i == len(b) {
		return b
	}
	var s strings.Builder
	s.Grow(len(b) + len(b)/2 + 2)
	s.WriteString(b[:i])
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c < 0x02:
			s.WriteByte(0x01)
			s.WriteByte(c + 1)
		case c < 0x80:
			s.WriteByte(c)
		default:
			s.WriteRune(rune(c))
		}
	}
	return s.String()
}

// decode is the inverse of encode; ok is false for a string that encode never returns.
func decode(s string) (b string, ok bool) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == 0 || r > 0xff || r == utf8.RuneError && n <= 1:
			return "", false
		case r == 0x01:
			i++
			if i == len(s) || s[i] != 0x01 && s[i] != 0x02 {
				return "", false
			}
			out = append(out, s[i]-1)
			i++
			continue
		}
		out = append(out, byte(r))
		i += n
	}
	return string(out), true
}

// posting is the value in k for a key of a document of a type. The empty key is the key of the
// type itself.
func posting(typ string, key store.Key) string { return typ + "/" + encode(string(key)) }

// postingsEnd is the end, exclusive, of the postings of a type.
func postingsEnd(typ string) string { return typ + "0" } // '0' follows '/'
