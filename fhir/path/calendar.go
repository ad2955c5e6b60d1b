package path

import (
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"
)

// calendarUnit returns the calendar unit of a word, in the singular, or "" for any other word.
func calendarUnit(word string) string {
	switch word {
	case "year", "years", "month", "months", "week", "weeks", "day", "days", "hour", "hours", "minute", "minutes", "second", "seconds", "millisecond", "milliseconds":
		return strings.TrimSuffix(word, "s")
	}
	return ""
}

// ucumUnit returns the calendar unit of a UCUM code of fixed length.
func ucumUnit(code string) string {
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
	return calendarUnit(code)
}

// fixedDuration returns the duration of a calendar unit, 0 for years and months, which vary.
func fixedDuration(unit string) time.Duration {
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

// add moves a moment by whole units. It drops fractions, and converts an amount in units finer than
// the moment's precision to that precision (FHIRPath 6.6.7). It returns false if there is no result.
func (m moment) add(amount *apd.Decimal, unit string, sign int) (moment, bool) {
	n, err := truncate(amount).Int64()
	if err != nil || n > 1e12 || n < -1e12 {
		return m, false
	}
	n *= int64(sign)
	if m.known < 2 && unit == "month" {
		n, unit = n/12, "year"
	}
	if m.isTimeOfDay && (unit == "year" || unit == "month" || unit == "week" || unit == "day") {
		return m, false
	}
	switch unit {
	case "year":
		return m.addMonths(12 * n)
	case "month":
		return m.addMonths(n)
	}
	length := fixedDuration(unit)
	if length == 0 || n > int64(1<<62/length) || n < -int64(1<<62/length) {
		return m, false
	}
	moved := time.Duration(n) * length
	switch m.known {
	case 1:
		return m.addMonths(12 * int64(moved/(365*24*time.Hour)))
	case 2:
		return m.addMonths(int64(moved / (30 * 24 * time.Hour)))
	case 3:
		moved = moved.Truncate(24 * time.Hour)
	}
	if unit == "millisecond" && m.known == 6 {
		m.fractionDigits = max(m.fractionDigits, 3)
	}
	return m.withTime(m.time().Add(moved)).checkYear()
}

func (m moment) addMonths(n int64) (moment, bool) {
	if n > 12*10000 || n < -12*10000 {
		return m, false
	}
	first := time.Date(m.parts[0], time.Month(max(1, m.parts[1])+int(n)), 1, 0, 0, 0, 0, time.UTC)
	m.parts[0] = first.Year()
	if m.known > 1 {
		m.parts[1] = int(first.Month())
	}
	if m.known > 2 {
		m.parts[2] = min(m.parts[2], first.AddDate(0, 1, -1).Day())
	}
	return m.checkYear()
}

// checkYear returns m, and false if its year cannot be written.
func (m moment) checkYear() (moment, bool) {
	return m, m.isTimeOfDay || m.parts[0] >= 1 && m.parts[0] <= 9999
}
