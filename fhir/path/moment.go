package path

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// moment is a date, a date with a time, or a time of day, with the precision of its literal.
type moment struct {
	isTimeOfDay    bool   // a time of day
	isDate         bool   // a date, which never has a time
	parts          [6]int // year, month, day, hour, minute, second
	known          int    // number of known parts, counted from the year; at least 4 for a time of day
	nanos          int    // nanoseconds after the second
	fractionDigits int    // number of written digits after the second
	hasZone        bool
	zoneMinutes    int // minutes east of UTC
}

// parseMoment reads a literal without its @: 2015, 2015-02T, T14:30.
func parseMoment(s string) (moment, bool) {
	m := moment{}
	days, hours, found := strings.Cut(s, "T")
	m.isTimeOfDay, m.isDate = found && days == "", !found
	ok := true
	if !m.isTimeOfDay {
		ok = m.readParts(days, 0, 3, "-")
	} else {
		m.known = 3
	}
	if found && !m.isTimeOfDay {
		hours = m.readZone(hours)
	}
	if ok && hours != "" {
		ok = m.isTimeOfDay || m.known == 3
		hours, fraction, dotted := strings.Cut(hours, ".")
		ok = ok && m.readParts(hours, 3, 6, ":")
		if dotted {
			m.fractionDigits = len(fraction)
			n, err := strconv.Atoi((fraction + "000000000")[:9])
			m.nanos, ok = n, ok && err == nil && m.known == 6 && m.fractionDigits > 0
		}
	}
	return m, ok && m.valid()
}

func (m *moment) readParts(s string, from, to int, between string) bool {
	for i, part := range strings.Split(s, between) {
		width := 2
		if from+i == 0 {
			width = 4
		}
		n, err := strconv.Atoi(part)
		if err != nil || len(part) != width || from+i >= to || countDigits(part) != width {
			return false
		}
		m.parts[from+i] = n
		m.known = from + i + 1
	}
	return true
}

// readZone reads the zone at the end of a time and returns the text before it.
func (m *moment) readZone(s string) string {
	if rest, ok := strings.CutSuffix(s, "Z"); ok {
		m.hasZone = true
		return rest
	}
	i := strings.LastIndexAny(s, "+-")
	if i < 0 || len(s)-i != 6 {
		return s
	}
	h, err1 := strconv.Atoi(s[i+1 : i+3])
	min, err2 := strconv.Atoi(s[i+4:])
	if err1 != nil || err2 != nil || s[i+3] != ':' {
		return s
	}
	m.hasZone, m.zoneMinutes = true, h*60+min
	if s[i] == '-' {
		m.zoneMinutes = -m.zoneMinutes
	}
	return s[:i]
}

func (m moment) valid() bool {
	p := m.parts
	if !m.isTimeOfDay {
		month, day := max(1, p[1]), max(1, p[2])
		t := time.Date(p[0], time.Month(month), day, 0, 0, 0, 0, time.UTC)
		if m.known > 1 && p[1] == 0 || m.known > 2 && p[2] == 0 || t.Day() != day || int(t.Month()) != month {
			return false
		}
	}
	return p[3] < 24 && p[4] < 60 && p[5] < 61
}

// String returns the moment as FHIR writes it, without the T of a time of day.
func (m moment) String() string {
	var b strings.Builder
	if !m.isTimeOfDay {
		fmt.Fprintf(&b, "%04d", m.parts[0])
		for i := 1; i < min(m.known, 3); i++ {
			fmt.Fprintf(&b, "-%02d", m.parts[i])
		}
	}
	if m.known > 3 {
		if !m.isTimeOfDay {
			b.WriteByte('T')
		}
		fmt.Fprintf(&b, "%02d", m.parts[3])
		for i := 4; i < m.known; i++ {
			fmt.Fprintf(&b, ":%02d", m.parts[i])
		}
	}
	if m.fractionDigits > 0 {
		b.WriteString("." + fmt.Sprintf("%09d", m.nanos)[:min(m.fractionDigits, 9)])
	}
	switch {
	case !m.hasZone:
	case m.zoneMinutes == 0:
		b.WriteByte('Z')
	default:
		sign, zone := '+', m.zoneMinutes
		if zone < 0 {
			sign, zone = '-', -zone
		}
		fmt.Fprintf(&b, "%c%02d:%02d", sign, zone/60, zone%60)
	}
	return b.String()
}

func (m moment) time() time.Time {
	p := m.parts
	return time.Date(p[0], time.Month(max(1, p[1])), max(1, p[2]), p[3], p[4], p[5], m.nanos, time.FixedZone("", m.zoneMinutes*60))
}

// withTime returns an instant in the zone of m and with its precision.
func (m moment) withTime(t time.Time) moment {
	t = t.In(time.FixedZone("", m.zoneMinutes*60))
	all := [6]int{t.Year(), int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second()}
	for i := range m.known {
		if !m.isTimeOfDay || i > 2 {
			m.parts[i] = all[i]
		}
	}
	if m.known == 6 {
		m.nanos = t.Nanosecond()
	}
	return m
}

// compare orders two moments. It returns false if the order is unknown, because their precisions
// differ or a zone is missing (FHIRPath 6.2).
func (m moment) compare(o moment) (int, bool) {
	if m.isTimeOfDay != o.isTimeOfDay {
		return 0, false
	}
	if m.hasZone && o.hasZone && m.known > 3 && o.known > 3 {
		m, o = m.utc(), o.utc()
	} else if m.hasZone != o.hasZone && m.known > 3 && o.known > 3 {
		if c := m.time().Compare(o.time()); m.time().Sub(o.time()).Abs() > 28*time.Hour {
			return c, true
		}
		return 0, false
	}
	for i := range min(m.known, o.known) {
		if m.parts[i] != o.parts[i] {
			if m.parts[i] < o.parts[i] {
				return -1, true
			}
			return 1, true
		}
	}
	switch {
	case m.known != o.known:
		return 0, false
	case m.nanos < o.nanos:
		return -1, true
	case m.nanos > o.nanos:
		return 1, true
	}
	return 0, true
}

func (m moment) utc() moment {
	t := m.time()
	m.zoneMinutes = 0
	return m.withTime(t)
}
