package index

import (
	"strings"

	"carerecord/fhir/path"
	"carerecord/store"
)

// spanOf returns the interval of a date, dateTime, instant, Period or Timing. It returns false
// for other types, malformed values, and values without an end.
func (x *Indexer) spanOf(v path.Value) (span, bool) {
	switch v.Type {
	case "date", "dateTime":
		sp, err := parseDate(v.Text(), x.zone)
		return sp, err == nil
	case "instant":
		sp, err := parseDate(v.Text(), x.zone)
		return span{sp.lo, sp.lo.add(0, 1), unitInstant}, err == nil
	case "Period":
		return x.period(v)
	case "Timing":
		return x.timing(v)
	case "Extension":
		if inner, ok := v.Choice("value"); ok {
			return x.spanOf(inner)
		}
	}
	return span{}, false
}

func (x *Indexer) period(v path.Value) (span, bool) {
	sp := span{moment{}, forever(), unitInterval}
	start, hasStart := v.Get("start")
	end, hasEnd := v.Get("end")
	if !hasStart && !hasEnd {
		return span{}, false
	}
	if hasStart {
		s, err := parseDate(start.Text(), x.zone)
		if err != nil {
			return span{}, false
		}
		sp.lo = s.lo
	}
	if hasEnd {
		e, err := parseDate(end.Text(), x.zone)
		if err != nil {
			return span{}, false
		}
		sp.hi = e.hi
	}
	if sp.hi.before(sp.lo) { // an end before the start: the time between them
		sp.lo, sp.hi = sp.hi, sp.lo
	}
	return sp, true
}

// timing returns the interval from the first to the last event or bound (SRCH-065).
func (x *Indexer) timing(v path.Value) (span, bool) {
	var all span
	found := false
	join := func(sp span, ok bool) {
		switch {
		case !ok:
		case !found:
			all, found = span{sp.lo, sp.hi, unitInterval}, true
		default:
			if sp.lo.before(all.lo) {
				all.lo = sp.lo
			}
			if all.hi.before(sp.hi) {
				all.hi = sp.hi
			}
		}
	}
	for event := range v.All("event") {
		join(x.spanOf(event))
	}
	if repeat, ok := v.Get("repeat"); ok {
		if bounds, ok := repeat.Get("boundsPeriod"); ok {
			join(x.period(bounds))
		}
	}
	return all, found
}

func (b *builder) dateKeys(number uint16, sp span) {
	b.begin(number, classDate)
	b.buf = append(b.buf, byte(sp.unit))
	b.buf = sp.hi.append(sp.lo.append(b.buf))
	b.end()
	if sp.unit == unitInterval {
		b.begin(number, classDateEnd)
		b.buf = sp.lo.append(sp.hi.append(b.buf))
		b.end()
	}
}

// comparators are the prefixes of ordered values.
const comparators = "eq ne gt lt ge le sa eb ap"

// Comparators returns the prefixes of ordered values.
func Comparators() []string { return strings.Fields(comparators) }

// comparator cuts the prefix off a value; it is eq if there is none.
func comparator(s string) (op, rest string) {
	if len(s) > 2 && s[0] >= 'a' && s[0] <= 'z' && strings.Contains(comparators, s[:2]) && s[1] != ' ' {
		return s[:2], s[2:]
	}
	return "eq", s
}

// datePred compares stored intervals [lo,hi) with the interval [s,e) of the
// value (SRCH-061, 062, 064).
func (x *Indexer) datePred(p *param, value string) (store.Pred, error) {
	op, text := comparator(value)
	sp, err := parseDate(text, x.zone)
	if err != nil {
		return nil, fault("value", "%s: %q %s.", p.Code, text, err)
	}
	s, e := sp.lo.String(), sp.hi.String()
	switch op {
	case "ne":
		return store.Or{p.dateSpan(bounds{loMax: s}), p.dateSpan(bounds{hiMin: e + "\x00"})}, nil
	case "lt":
		return p.dateSpan(bounds{loMax: s}), nil
	case "gt":
		return p.dateSpan(bounds{hiMin: e + "\x00"}), nil
	case "le":
		return p.dateSpan(bounds{loMax: e}), nil
	case "ge":
		return p.dateSpan(bounds{hiMin: s + "\x00"}), nil
	case "sa":
		return p.dateSpan(bounds{loMin: e}), nil
	case "eb":
		return p.dateSpan(bounds{hiMax: s + "\x00"}), nil
	case "ap":
		lo, hi := widenByTenth(sp, momentOf(x.clock()))
		return p.dateSpan(bounds{loMax: hi.String(), hiMin: lo.String() + "\x00"}), nil
	}
	return p.dateSpan(bounds{loMin: s, hiMax: e + "\x00"}), nil
}

// widenByTenth moves both ends of an interval outwards by a tenth of its distance from now,
// counted in whole seconds.
func widenByTenth(sp span, now moment) (lo, hi moment) {
	var seconds int64
	switch {
	case now.before(sp.lo):
		seconds = sp.lo.sec - now.sec
	case sp.hi.before(now):
		seconds = now.sec - sp.hi.sec
	}
	sec, nano := seconds/10, int32(seconds%10)*1e8
	return sp.lo.add(-sec, -nano), sp.hi.add(sec, nano)
}

// bounds are the bounds of a store.Interval.
type bounds struct{ loMin, loMax, hiMin, hiMax string }

func (b bounds) span(under store.Key, width int, scan []store.Range) store.Interval {
	return store.Interval{
		Prefix: under, Skip: 1, Width: width,
		LoMin: b.loMin, LoMax: b.loMax, HiMin: b.hiMin, HiMax: b.hiMax, Scan: scan,
	}
}

// dateSpan makes a store.Interval with a Scan range for each unit. A date with a unit is found by
// its start, which is at most the unit's slack before its end. An interval is found by the end
// that has a lower bound, or by its start.
func (p *param) dateSpan(b bounds) store.Pred {
	under := prefix(p.number, classDate)
	var scan []store.Range
	for _, u := range []byte(units) {
		low, high := b.loMin, b.loMax
		if b.hiMin != "" {
			low = max(low, momentBefore(b.hiMin, unit(u).slack()))
		}
		if b.hiMax != "" && (high == "" || b.hiMax < high) {
			high = b.hiMax
		}
		scan = append(scan, rangeUnder(under+store.Key(u), dateWidth, low, high))
	}
	scan = append(scan, b.intervals(under+store.Key(unitInterval), prefix(p.number, classDateEnd), dateWidth))
	return b.span(under, dateWidth, scan)
}

// intervals returns the range of keys, by start or by end, of the intervals that may satisfy the
// bounds.
func (b bounds) intervals(byStart, byEnd store.Key, width int) store.Range {
	if b.hiMin != "" {
		return rangeUnder(byEnd, width, b.hiMin, b.hiMax)
	}
	high := b.loMax
	if b.hiMax != "" && (high == "" || b.hiMax < high) {
		high = b.hiMax
	}
	return rangeUnder(byStart, width, b.loMin, high)
}

// rangeUnder returns the range of keys under a prefix that continue with low or more, and less
// than high. A bound longer than width bytes includes all keys that begin with its first width
// bytes.
func rangeUnder(under store.Key, width int, low, high string) store.Range {
	r := store.Range{Low: under + store.Key(low)}
	switch {
	case high == "":
		r.High = store.PrefixEnd(under)
	case len(high) > width:
		r.High = store.PrefixEnd(under + store.Key(high[:width]))
	default:
		r.High = under + store.Key(high)
	}
	return r
}

// momentBefore moves an encoded moment back by some seconds.
func momentBefore(encoded string, sec int64) string {
	var s int64
	for i := range 5 {
		s = s<<8 | int64(encoded[i])
	}
	return moment{sec: s}.add(-sec, 0).String()
}
