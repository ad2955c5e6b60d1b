package index

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// fold returns the form in which strings are compared (SRCH-030): compatibility decomposition
// without combining marks, full case folding, hyphens and slashes as spaces, without other
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
	// Folding can produce marks and decomposing can produce capitals, so both are repeated
	// until nothing changes. Two rounds are the most that occur.
	for range 4 {
		t := foldRunes(cases.Fold().String(norm.NFKD.String(s)))
		if t == s {
			return s
		}
		s = t
	}
	return s
}

// foldRunes lowers ASCII letters and applies the rules of fold for marks, punctuation and space.
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

// foldCode returns the form in which codes of systems without case sensitivity are compared.
func foldCode(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return cases.Fold().String(s)
		}
	}
	return strings.ToLower(s)
}

// canonicalText returns the form in which whole strings are compared: canonical composition
// (SRCH-031).
func canonicalText(s string) string { return norm.NFC.String(s) }

// cutText shortens a folded string to the length of a driving key, at the border of a character.
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

// maxText is the number of bytes of a string in a driving key.
const maxText = 256

// phoneDigits returns the form in which telephone numbers are compared (SRCH-054).
func phoneDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .-()[]\u00a0", r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// isCaseSensitive reports whether the codes of a system are case sensitive (SRCH-045).
func isCaseSensitive(system string) bool {
	return strings.HasPrefix(system, "http://hl7.org/fhir/") ||
		strings.HasPrefix(system, "http://terminology.hl7.org/") ||
		system == ucumSystem
}
