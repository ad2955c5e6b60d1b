package path

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// moment is a date, a date with a time, or a time of day, to the precision with
// which it was written.
type moment struct {
	clock bool   // a time of day
	day   bool   // a date, which never has a time
	part  [6]int // year, month, day, hour, minute, second
	n     int    // how many of part are known, counted from the year; that of a time of day begins at 4
	nano  int    // after the second
	frac  int    // number of written digits after the second
	zoned bool
	zone  int // minutes east of UTC
}

// parseMoment reads a literal without its @: 2015, 2015-02T, T14:30 and so on.
func parseMoment(s string) (moment, bool) {
	m := moment{}
	days, hours, found := strings.Cut(s, "T")
	m.clock, m.day = found && days == "", !found
	ok := true
	if !m.clock {
		ok = m.read(days, 0, 3, "-")
	} else {
		m.n = 3
	}
	if found && !m.clock {
		hours = m.readZone(hours)
	}
	if ok && hours != "" {
		ok = m.clock || m.n == 3
		hours, fraction, dotted := strings.Cut(hours, ".")
		ok = ok && m.read(hours, 3, 6, ":")
		if dotted {
			m.frac = len(fraction)
			n, err := strconv.Atoi((fraction + "000000000")[:9])
			m.nano, ok = n, ok && err == nil && m.n == 6 && m.frac > 0
		}
	}
	return m, ok && m.legal()
}

func (m *moment) read(s string, from, to int, between string) bool {
	for i, part := range strings.Split(s, between) {
		width := 2
		if from+i == 0 {
			width = 4
		}
		n, err := strconv.Atoi(part)
		if err != nil || len(part) != width || from+i >= to || digits(part) != width {
			return false
		}
		m.part[from+i] = n
		m.n = from + i + 1
	}
	return true
}

// readZone takes the zone from the end of a time.
func (m *moment) readZone(s string) string {
	if rest, ok := strings.CutSuffix(s, "Z"); ok {
		m.zoned = true
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
	m.zoned, m.zone = true, h*60+min
	if s[i] == '-' {
		m.zone = -m.zone
	}
	return s[:i]
}

func (m moment) legal() bool {
	p := m.part
	if !m.clock {
		month, day := max(1, p[1]), max(1, p[2])
		t := time.Date(p[0], time.Month(month), day, 0, 0, 0, 0, time.UTC)
		if m.n > 1 && p[1] == 0 || m.n > 2 && p[2] == 0 || t.Day() != day || int(t.Month()) != month {
			return false
		}
	}
	return p[3] < 24 && p[4] < 60 && p[5] < 61
}

// String writes it as FHIR does, without the letter of a literal.
func (m moment) String() string {
	var b strings.Builder
	if !m.clock {
		fmt.Fprintf(&b, "%04d", m.part[0])
		for i := 1; i < min(m.n, 3); i++ {
			fmt.Fprintf(&b, "-%02d", m.part[i])
		}
	}
	if m.n > 3 {
		if !m.clock {
			b.WriteByte('T')
		}
		fmt.Fprintf(&b, "%02d", m.part[3])
		for i := 4; i < m.n; i++ {
			fmt.Fprintf(&b, ":%02d", m.part[i])
		}
	}
	if m.frac > 0 {
		b.WriteString("." + fmt.Sprintf("%09d", m.nano)[:min(m.frac, 9)])
	}
	switch {
	case !m.zoned:
	case m.zone == 0:
		b.WriteByte('Z')
	default:
		sign, zone := '+', m.zone
		if zone < 0 {
			sign, zone = '-', -zone
		}
		fmt.Fprintf(&b, "%c%02d:%02d", sign, zone/60, zone%60)
	}
	return b.String()
}

func (m moment) time() time.Time {
	p := m.part
	return time.Date(p[0], time.Month(max(1, p[1])), max(1, p[2]), p[3], p[4], p[5], m.nano, time.FixedZone("", m.zone*60))
}

// at puts a point of time into m, in its zone and to its precision.
func (m moment) at(t time.Time) moment {
	t = t.In(time.FixedZone("", m.zone*60))
	all := [6]int{t.Year(), int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second()}
	for i := range m.n {
		if !m.clock || i > 2 {
			m.part[i] = all[i]
		}
	}
	if m.n == 6 {
		m.nano = t.Nanosecond()
	}
	return m
}

// compare orders two moments; false where their precision or a missing zone
// leaves it open (FHIRPath 6.2).
func (m moment) compare(o moment) (int, bool) {
	if m.clock != o.clock {
		return 0, false
	}
	if m.zoned && o.zoned && m.n > 3 && o.n > 3 {
		m, o = m.utc(), o.utc()
	} else if m.zoned != o.zoned && m.n > 3 && o.n > 3 {
		if c := m.time().Compare(o.time()); m.time().Sub(o.time()).Abs() > 28*time.Hour {
			return c, true
		}
		return 0, false
	}
	for i := range min(m.n, o.n) {
		if m.part[i] != o.part[i] {
			if m.part[i] < o.part[i] {
				return -1, true
			}
			return 1, true
		}
	}
	switch {
	case m.n != o.n:
		return 0, false
	case m.nano < o.nano:
		return -1, true
	case m.nano > o.nano:
		return 1, true
	}
	return 0, true
}

func (m moment) utc() moment {
	t := m.time()
	m.zone = 0
	return m.at(t)
}
