package mongo

import (
	"strings"
	"testing"
	"unicode/utf8"

	"carerecord/store"
)

// Encoded keys sort as the bytes do, decode to themselves, and are valid text.
func FuzzEncode(f *testing.F) {
	f.Add("", "\x00")
	f.Add("\x00", "\x00\x00")
	f.Add("\x00\xff", "\x01")
	f.Add("\x01", "\x01\x00")
	f.Add("\x01\x01", "\x02")
	f.Add("a\x7f", "a\x80")
	f.Add("a\xff", "b")
	f.Add("Smith", "Smith\x00")
	f.Add("\xc3\xa9", "\xc3\xaa\xff\xff")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := encode(a), encode(b)
		if got, want := strings.Compare(x, y), strings.Compare(a, b); got != want {
			t.Errorf("encode(%q) and encode(%q) compare as %d, want %d", a, b, got, want)
		}
		if strings.HasPrefix(a, b) != strings.HasPrefix(x, y) {
			t.Errorf("encode(%q) = %q and encode(%q) = %q disagree about a prefix", a, x, b, y)
		}
		if back, ok := decode(x); !ok || back != a {
			t.Errorf("decode(encode(%q)) = %q, %t", a, back, ok)
		}
		if !utf8.ValidString(x) || strings.ContainsRune(x, 0) {
			t.Errorf("encode(%q) = %q is not UTF-8 without NUL", a, x)
		}
		if back, ok := decode(b); ok && encode(back) != b {
			t.Errorf("decode(%q) = %q, which encodes to %q", b, back, encode(back))
		}
	})
}

// Postings of a type lie between its own key and postingsEnd, and those of no other type do.
func TestPostings(t *testing.T) {
	for _, typ := range []string{"Obs", "Observation", "Observation0"} {
		own, end := posting(typ, ""), postingsEnd(typ)
		for _, key := range []store.Key{"\x00", "\x01", "a", "\x7f\xff\xff"} {
			if p := posting(typ, key); p <= own || p >= end {
				t.Errorf("post(%s, %q) = %q is not between %q and %q", typ, key, p, own, end)
			}
		}
		if p := posting("Observation", "x"); typ != "Observation" && p > own && p < end {
			t.Errorf("post %q of Observation lies among those of %s", p, typ)
		}
	}
}
