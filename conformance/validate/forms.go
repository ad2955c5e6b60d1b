package validate

import "bytes"

// hasControls reports whether s has a control character other than tab, line feed and carriage
// return.
func hasControls(s []byte) bool {
	for _, c := range s {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return true
		}
	}
	return false
}

// hasSpaceOrControls reports whether s has white space or a control character.
func hasSpaceOrControls(s []byte) bool {
	for _, c := range s {
		if c <= ' ' || c == 0x7f {
			return true
		}
	}
	return false
}

// isCode accepts words with a single white-space character between them (datatypes.html#code).
func isCode(s []byte) bool {
	gap := true // at the start, or after white space
	for _, c := range s {
		if c > ' ' {
			gap = false
			continue
		}
		if gap || hasControls([]byte{c}) {
			return false
		}
		gap = true
	}
	return !gap
}

// isOID accepts urn:oid: and at least two arcs without leading zeros.
func isOID(s []byte) bool {
	arcs, ok := bytes.CutPrefix(s, []byte("urn:oid:"))
	if !ok || len(arcs) < 3 || arcs[0] < '0' || arcs[0] > '2' || arcs[1] != '.' {
		return false
	}
	for arc := range bytes.SplitSeq(arcs[2:], []byte{'.'}) {
		if len(arc) == 0 || arc[0] == '0' && len(arc) > 1 {
			return false
		}
		for _, c := range arc {
			if c < '0' || c > '9' {
				return false
			}
		}
	}
	return true
}

func isUUID(s []byte) bool {
	u, ok := bytes.CutPrefix(s, []byte("urn:uuid:"))
	if !ok || len(u) != 36 {
		return false
	}
	for i, c := range u {
		switch dash := i == 8 || i == 13 || i == 18 || i == 23; {
		case dash && c != '-':
			return false
		case !dash && !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f'):
			return false
		}
	}
	return true
}

// isBase64 accepts groups of four characters with padding only at the end, and white space anywhere
// (datatypes.html#base64Binary).
func isBase64(s []byte) bool {
	n, pads := 0, 0
	for _, c := range s {
		switch {
		case c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/':
			if pads > 0 {
				return false
			}
		case c == '=':
			pads++
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			continue
		default:
			return false
		}
		n++
	}
	return n > 0 && n%4 == 0 && pads <= 2
}

// digits returns the number that the first n digits of s write, or -1 if s does not begin with n digits.
func digits(s []byte, n int) int {
	if len(s) < n {
		return -1
	}
	v := 0
	for _, c := range s[:n] {
		if c < '0' || c > '9' {
			return -1
		}
		v = v*10 + int(c-'0')
	}
	return v
}

// isDate accepts a year from 1 on, with an optional month and an optional day that exist.
func isDate(s []byte) bool {
	year := digits(s, 4)
	if year < 1 {
		return false
	}
	if len(s) == 4 {
		return true
	}
	month := digits(s[min(5, len(s)):], 2)
	if s[4] != '-' || month < 1 || month > 12 || len(s) != 7 && len(s) != 10 {
		return false
	}
	if len(s) == 7 {
		return true
	}
	day := digits(s[8:], 2)
	return s[7] == '-' && day >= 1 && day <= daysIn(year, month)
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

func isDateTime(s []byte) bool { return isDate(s) || isInstant(s) }

// isInstant accepts a date, a time with seconds and a zone of at most 14 hours from UTC. Second 60
// is a leap second.
func isInstant(s []byte) bool {
	if len(s) < 20 || !isDate(s[:10]) || s[10] != 'T' {
		return false
	}
	zone := bytes.IndexAny(s[11:], "Z+-")
	return zone > 0 && isClock(s[11:11+zone], 60) && isZone(s[11+zone:])
}

func isTime(s []byte) bool { return isClock(s, 60) }

// isClock accepts hh:mm:ss with an optional fraction, and seconds up to maxSecond.
func isClock(s []byte, maxSecond int) bool {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' {
		return false
	}
	hour, minute, second := digits(s, 2), digits(s[3:], 2), digits(s[6:], 2)
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > maxSecond {
		return false
	}
	if len(s) == 8 {
		return true
	}
	fraction := s[9:]
	if s[8] != '.' || len(fraction) == 0 {
		return false
	}
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func isZone(s []byte) bool {
	if len(s) == 1 {
		return s[0] == 'Z'
	}
	if len(s) != 6 || s[0] == 'Z' || s[3] != ':' {
		return false
	}
	hour, minute := digits(s[1:], 2), digits(s[4:], 2)
	return hour >= 0 && minute >= 0 && minute <= 59 && (hour <= 13 || hour == 14 && minute == 0)
}
