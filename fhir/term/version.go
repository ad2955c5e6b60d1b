package term

import (
	"cmp"
	"strings"
)

// CompareVersions orders the business versions of one CodeSystem or ValueSet by their parts,
// numbers as numbers: 1.9 is before 1.10, and 2024-9-30 before 2024-10-01. A missing part is 0. A
// pre-release (1.0-beta) is before its release, text after a plus sign is ignored, and no version
// is before any.
func CompareVersions(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(len(a), len(b))
	}
	a, aPre := release(a)
	b, bPre := release(b)
	if c := compareParts(a, b); c != 0 {
		return c
	}
	if aPre == "" || bPre == "" {
		return cmp.Compare(len(bPre), len(aPre))
	}
	return compareParts(aPre, bPre)
}

// release splits a version into its release and its pre-release, which begins with a letter after
// a hyphen.
func release(version string) (release, pre string) {
	version, _, _ = strings.Cut(version, "+")
	version = strings.TrimPrefix(strings.ToLower(version), "v")
	for i := 0; i+1 < len(version); i++ {
		if next := version[i+1]; version[i] == '-' && next >= 'a' && next <= 'z' {
			return version[:i], version[i+1:]
		}
	}
	return version, ""
}

// compareParts compares part by part.
func compareParts(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a = part(a)
		y, b = part(b)
		if c := comparePart(x, y); c != 0 {
			return c
		}
	}
	return 0
}

// part cuts the first part off.
func part(s string) (first, rest string) {
	if i := strings.IndexAny(s, ".-_ "); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// comparePart compares numbers of any length by value, and puts them before text.
func comparePart(a, b string) int {
	aNumber, bNumber := digits(a), digits(b)
	if aNumber != bNumber {
		if aNumber {
			return -1
		}
		return 1
	}
	if aNumber {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	}
	return strings.Compare(a, b)
}

// digits reports whether a part is a number. A missing part is 0.
func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }
