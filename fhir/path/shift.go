package path

import (
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"
)

// calendar returns the calendar unit that a word or UCUM code names: year to
// millisecond, or nothing.
func calendar(word string) string {
	switch word {
	case "year", "years", "month", "months", "week", "weeks", "day", "days", "hour", "hours", "minute", "minutes", "second", "seconds", "millisecond", "milliseconds":
		return strings.TrimSuffix(word, "s")
	}
	return ""
}

// definite returns the calendar unit of a UCUM code of fixed length.
func definite(code string) string {
	switch code {
	case "wk":
		return "week"
	case "d":
		return "day"
	case "h":
		return "hour"
	case "min":
		return "minute"
	case "s":
		return "second"
	case "ms":
		return "millisecond"
	}
	return calendar(code)
}

// lengthOf returns how long a calendar unit is, 0 for those that vary.
func lengthOf(unit string) time.Duration {
	switch unit {
	case "week":
		return 7 * 24 * time.Hour
	case "day":
		return 24 * time.Hour
	case "hour":
		return time.Hour
	case "minute":
		return time.Minute
	case "second":
		return time.Second
	case "millisecond":
		return time.Millisecond
	}
	return 0
}

// add moves a moment by whole units: fractions are dropped, and units finer than
// the moment's precision count as far as they fill it (FHIRPath 6.6.7).
func (m moment) add(amount *apd.Decimal, unit string, sign int) (moment, bool) {
	n, err := truncated(amount).Int64()
	if err != nil || n > 1e12 || n < -1e12 {
		return m, false
	}
	n *= int64(sign)
	if m.n < 2 && unit == "month" {
		n, unit = n/12, "year"
	}
	if m.clock && (unit == "year" || unit == "month" || unit == "week" || unit == "day") {
		return m, false
	}
	switch unit {
	case "year":
		return m.months(12 * n)
	case "month":
		return m.months(n)
	}
	length := lengthOf(unit)
	if length == 0 || n > int64(1<<62/length) || n < -int64(1<<62/length) {
		return m, false
	}
	moved := time.Duration(n) * length
	switch m.n {
	case 1:
		return m.months(12 * int64(moved/(365*24*time.Hour)))
	case 2:
		return m.months(int64(moved / (30 * 24 * time.Hour)))
	case 3:
		moved = moved.Truncate(24 * time.Hour)
	}
	if unit == "millisecond" && m.n == 6 {
		m.frac = max(m.frac, 3)
	}
	return m.at(m.time().Add(moved)).bounded()
}

func (m moment) months(n int64) (moment, bool) {
	if n > 12*10000 || n < -12*10000 {
		return m, false
	}
	first := time.Date(m.part[0], time.Month(max(1, m.part[1])+int(n)), 1, 0, 0, 0, 0, time.UTC)
	m.part[0] = first.Year()
	if m.n > 1 {
		m.part[1] = int(first.Month())
	}
	if m.n > 2 {
		m.part[2] = min(m.part[2], first.AddDate(0, 1, -1).Day())
	}
	return m.bounded()
}

// bounded is false for a year that cannot be written.
func (m moment) bounded() (moment, bool) {
	return m, m.clock || m.part[0] >= 1 && m.part[0] <= 9999
}
