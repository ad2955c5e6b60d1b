package index

import (
	"errors"
	"time"
)

// moment is an instant as keys hold it: seconds since two days before the year 1, so that no zone
// makes it negative, and nanoseconds. Zero is the beginning of time, and forever its end.
type moment struct {
	sec  int64
	nano int32
}

var errDate = errors.New("is not a date of the form YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm[:ss[.fff]][zone]")

const (
	yearOne = -62135596800 - 2*86400 // Unix time of moment zero
	lastSec = 1<<40 - 1

	dateWidth = 9 // bytes of an encoded moment
)

func forever() moment { return moment{lastSec, 1<<31 - 1} }

func momentOf(t time.Time) moment { return moment{t.Unix() - yearOne, int32(t.Nanosecond())} }

func (m moment) add(sec int64, nano int32) moment {
	m.sec, m.nano = m.sec+sec, m.nano+nano
	switch {
	case m.nano >= 1e9:
		m.sec, m.nano = m.sec+1, m.nano-1e9
	case m.nano < 0:
		m.sec, m.nano = m.sec-1, m.nano+1e9
	}
	if m.sec < 0 {
		return moment{}
	}
	return m
}

func (m moment) before(o moment) bool {
	return m.sec < o.sec || m.sec == o.sec && m.nano < o.nano
}

// append encodes a moment in dateWidth bytes that sort like moments.
func (m moment) append(b []byte) []byte {
	if m == forever() {
		return append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	}
	s, n := uint64(m.sec), uint32(m.nano)
	return append(b, byte(s>>32), byte(s>>24), byte(s>>16), byte(s>>8), byte(s), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

func (m moment) String() string { return string(m.append(nil)) }

// unit is the precision with which a date was written.
type unit byte

const (
	unitYear     unit = 'a'
	unitMonth    unit = 'b'
	unitDay      unit = 'c'
	unitMinute   unit = 'd'
	unitSecond   unit = 'e'
	unitFraction unit = 'f'
	unitInstant  unit = 'g'
	unitInterval unit = 'z'
)

// slack returns an upper bound of the width of a unit in seconds. Days and longer units allow two
// hours for changes of the zone.
func (u unit) slack() int64 {
	switch u {
	case unitYear:
		return 366*86400 + 7200
	case unitMonth:
		return 31*86400 + 7200
	case unitDay:
		return 86400 + 7200
	case unitMinute:
		return 60
	case unitSecond, unitFraction, unitInstant, unitInterval:
	}
	return 1
}

// units are all units except unitInterval.
const units = "abcdefg"

// span is the half-open interval [lo,hi) of a date.
type span struct {
	lo, hi moment
	unit   unit
}

// parseDate reads a date, dateTime or instant. Days and times without a zone
// are read in the local zone. Second 60 counts as second 59 (SRCH-069).
func parseDate(s string, zone *time.Location) (span, error) {
	r := reader{s: s}
	year := r.number(4)
	if r.bad || year == 0 {
		return span{}, errDate
	}
	if r.done() {
		return days(time.Date(year, 1, 1, 0, 0, 0, 0, zone), time.Date(year+1, 1, 1, 0, 0, 0, 0, zone), unitYear), nil
	}
	r.byte('-')
	month := r.number(2)
	if r.bad || month < 1 || month > 12 {
		return span{}, errDate
	}
	if r.done() {
		return days(time.Date(year, time.Month(month), 1, 0, 0, 0, 0, zone), time.Date(year, time.Month(month)+1, 1, 0, 0, 0, 0, zone), unitMonth), nil
	}
	r.byte('-')
	day := r.number(2)
	if r.bad || day < 1 || day > daysIn(year, month) {
		return span{}, errDate
	}
	if r.done() {
		return days(time.Date(year, time.Month(month), day, 0, 0, 0, 0, zone), time.Date(year, time.Month(month), day+1, 0, 0, 0, 0, zone), unitDay), nil
	}
	return r.clock(year, month, day, zone)
}

func days(from, to time.Time, u unit) span {
	sp := span{momentOf(from), momentOf(to), u}
	if !sp.lo.before(sp.hi) { // a day that the zone skipped
		sp.hi = sp.lo.add(0, 1)
	}
	return sp
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

// reader reads the text of a date.
type reader struct {
	s   string
	pos int
	bad bool
}

func (r *reader) done() bool { return r.pos == len(r.s) }

func (r *reader) peek() byte {
	if r.done() {
		return 0
	}
	return r.s[r.pos]
}

func (r *reader) byte(c byte) {
	if r.peek() != c {
		r.bad = true
		return
	}
	r.pos++
}

// number reads exactly n digits.
func (r *reader) number(n int) int {
	v := 0
	for range n {
		c := r.peek()
		if c < '0' || c > '9' {
			r.bad = true
			return 0
		}
		v = v*10 + int(c-'0')
		r.pos++
	}
	return v
}

// clock reads a time of day and the zone.
func (r *reader) clock(year, month, day int, zone *time.Location) (span, error) {
	r.byte('T')
	hour := r.number(2)
	r.byte(':')
	minute := r.number(2)
	sec, nano, u, width := 0, 0, unitMinute, moment{sec: 60}
	if r.peek() == ':' {
		r.pos++
		sec, u, width = r.number(2), unitSecond, moment{sec: 1}
		if sec == 60 {
			sec = 59
		}
	}
	if u == unitSecond && r.peek() == '.' {
		r.pos++
		nano, width = r.fraction()
		u = unitFraction
	}
	zone = r.zone(zone)
	if r.bad || !r.done() || hour > 23 || minute > 59 || sec > 59 {
		return span{}, errDate
	}
	lo := momentOf(time.Date(year, time.Month(month), day, hour, minute, sec, nano, zone))
	return span{lo, lo.add(width.sec, width.nano), u}, nil
}

// fraction reads the digits of a second. Digits after the ninth are ignored.
func (r *reader) fraction() (nano int, width moment) {
	scale := int32(1e9)
	if c := r.peek(); c < '0' || c > '9' {
		r.bad = true
	}
	for c := r.peek(); c >= '0' && c <= '9'; c = r.peek() {
		r.pos++
		if scale > 1 {
			scale /= 10
			nano += int(c-'0') * int(scale)
		}
	}
	return nano, moment{nano: scale}
}

// zone reads Z, an offset or nothing. It accepts a space for a + (SRCH-068).
func (r *reader) zone(local *time.Location) *time.Location {
	sign := 1
	switch r.peek() {
	case 0:
		return local
	case 'Z':
		r.pos++
		return time.UTC
	case '-':
		sign = -1
	case '+', ' ':
	default:
		r.bad = true
		return local
	}
	r.pos++
	hour := r.number(2)
	r.byte(':')
	minute := r.number(2)
	if hour > 14 || minute > 59 {
		r.bad = true
	}
	return time.FixedZone("", sign*(hour*3600+minute*60))
}

// Period returns the half-open interval of a date, dateTime or instant in UTC. Dates, and times
// without a zone, are read in the local zone. The error is an *Error.
func (x *Indexer) Period(text string) (from, end time.Time, err error) {
	sp, err := parseDate(text, x.zone)
	if err != nil {
		return from, end, fault("value", "%q is not a date.", text)
	}
	at := func(m moment) time.Time { return time.Unix(m.sec+yearOne, int64(m.nano)).UTC() }
	return at(sp.lo), at(sp.hi), nil
}
