package index

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// fold is how strings compare (SRCH-030): compatibility decomposition, without
// combining marks, full case fold, hyphens and slashes as spaces, without other
// punctuation, white space as one space, trimmed.
func fold(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return foldUnicode(s)
		}
	}
	return foldRunes(s)
}

func foldUnicode(s string) string {
	// Folding can bring marks back and decomposing can bring capitals, so both
	// are done until nothing changes; two rounds are the most that occur.
	for range 4 {
		t := foldRunes(cases.Fold().String(norm.NFKD.String(s)))
		if t == s {
			return s
		}
		s = t
	}
	return s
}

// foldRunes lowers ASCII and does what fold says of marks, punctuation and space.
func foldRunes(s string) string {
	b := make([]byte, 0, len(s))
	gap := false
	for _, r := range s {
		switch {
		case r == '-' || r == '/' || r == '\u2044' || unicode.IsSpace(r) || unicode.Is(unicode.Pd, r):
			gap = len(b) > 0
			continue
		case r >= 'A' && r <= 'Z':
			r += 'a' - 'A'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
		case unicode.IsPunct(r) || unicode.IsControl(r) || unicode.In(r, unicode.Mn, unicode.Mc, unicode.Me, unicode.Cf):
			continue
		}
		if gap {
			b = append(b, ' ')
			gap = false
		}
		b = utf8.AppendRune(b, r)
	}
	return string(b)
}

// foldCode is how codes compare whose case does not count.
func foldCode(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return cases.Fold().String(s)
		}
	}
	return strings.ToLower(s)
}

// canonicalText is how whole strings compare: in canonical composition (SRCH-031).
func canonicalText(s string) string { return norm.NFC.String(s) }

// cutText shortens a folded string to what a driving key holds, at the border of a
// character.
func cutText(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// maxText is how many bytes of a string drive.
const maxText = 256

// phoneDigits is how phone numbers compare (SRCH-054).
func phoneDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .-()[]\u00a0", r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// isCaseSensitive reports whether the codes of a system differ by case (SRCH-045).
func isCaseSensitive(system string) bool {
	return strings.HasPrefix(system, "http://hl7.org/fhir/") ||
		strings.HasPrefix(system, "http://terminology.hl7.org/") ||
		system == ucumSystem
}
