package fhir

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// NHSNumberSystem is the identifier system of NHS numbers.
const NHSNumberSystem = "https://fhir.nhs.uk/Id/nhs-number"

// nhsNumberOID is the object identifier of NHS numbers, as older messages write it.
const nhsNumberOID = "2.16.840.1.113883.2.1.4.1"

// LooksLikeNHSNumberSystem reports whether an identifier system is that of NHS numbers or a
// likely spelling of it: another letter case, http, a trailing slash, an older host, the object
// identifier. Use it where a missed number would disclose something. Compare with NHSNumberSystem
// to resolve a Patient.
func LooksLikeNHSNumberSystem(system string) bool {
	if system == NHSNumberSystem {
		return true
	}
	if !mayBeNHS(system) {
		return false
	}
	s := strings.ToLower(strings.TrimSpace(system))
	if strings.TrimPrefix(s, "urn:oid:") == nhsNumberOID {
		return true
	}
	letters := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, s)
	return strings.Contains(letters, "nhsnumber") || strings.HasSuffix(letters, "nhsno")
}

// mayBeNHS excludes most systems without allocating.
func mayBeNHS(system string) bool {
	for i := 0; i+3 <= len(system); i++ {
		if c := system[i]; (c == 'n' || c == 'N') && strings.EqualFold(system[i:i+3], "nhs") || c == '1' && system[i:i+3] == "113" {
			return true
		}
	}
	return false
}

// CleanNHSNumber returns the ten digits of an NHS number that may contain blanks or hyphens. It
// returns false for anything but ten digits. The check digit is not tested.
func CleanNHSNumber(value string) (string, bool) {
	digits := strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\n', '\r', '\u00a0', '\u2009', '\u202f', '-', '\u2010', '\u2011', '\u2012', '\u2013':
			return -1
		}
		return r
	}, value)
	if len(digits) != 10 {
		return "", false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return "", false
		}
	}
	return digits, true
}

// NHSNumberOf returns the ten digits of the NHS number in an identifier. Its system looks like
// that of NHS numbers, or it has no system and its value passes ValidNHSNumber.
func NHSNumberOf(system, value string) (string, bool) {
	digits, ok := CleanNHSNumber(value)
	return digits, ok && (LooksLikeNHSNumberSystem(system) || system == "" && ValidNHSNumber(digits))
}

// NHSNumberIn returns the NHS number in a text: the text has exactly ten digits, of any width and
// with anything in between, that pass ValidNHSNumber.
func NHSNumberIn(text string) (string, bool) {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, norm.NFKC.String(text))
	return digits, ValidNHSNumber(digits)
}

// ValidNHSNumber reports whether ten digits have the check digit of an NHS number
// (modulus 11) and are not one digit ten times (CON-806).
func ValidNHSNumber(digits string) bool {
	if len(digits) != 10 || strings.Count(digits, digits[:1]) == 10 {
		return false
	}
	sum := 0
	for i := range 9 {
		c := digits[i]
		if c < '0' || c > '9' {
			return false
		}
		sum += int(c-'0') * (10 - i)
	}
	check := (11 - sum%11) % 11
	return check < 10 && digits[9] == byte('0'+check)
}
