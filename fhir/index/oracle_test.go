package index_test

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"carerecord/fhir/index"
	"carerecord/store"
)

// interval is [lo,hi) as SRCH-060 to 067 describe it, in terms of time.Time: an
// oracle that shares nothing with the keys.
type interval struct{ lo, hi time.Time }

var (
	beginning  = time.Date(-100, 1, 1, 0, 0, 0, 0, time.UTC)
	convertEnd = time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)
)

// drawTime draws a date as text with its interval.
func drawTime(t *rapid.T, zone *time.Location, label string) (string, interval) {
	y := rapid.IntRange(2023, 2025).Draw(t, label+" year")
	m := time.Month(rapid.SampledFrom([]int{1, 3, 10, 12}).Draw(t, label+" month"))
	d := rapid.SampledFrom([]int{1, 2, 26, 27, 30, 31}).Draw(t, label+" day")
	hour, minute, second := rapid.IntRange(0, 23).Draw(t, label+" hour"), rapid.SampledFrom([]int{0, 30, 59}).Draw(t, label+" minute"), rapid.SampledFrom([]int{0, 59}).Draw(t, label+" second")
	at := time.Date(y, m, d, hour, minute, second, 0, zone)
	switch rapid.IntRange(0, 5).Draw(t, label+" precision") {
	case 0:
		return fmt.Sprintf("%04d", y), interval{time.Date(y, 1, 1, 0, 0, 0, 0, zone), time.Date(y+1, 1, 1, 0, 0, 0, 0, zone)}
	case 1:
		return fmt.Sprintf("%04d-%02d", y, m), interval{time.Date(y, m, 1, 0, 0, 0, 0, zone), time.Date(y, m+1, 1, 0, 0, 0, 0, zone)}
	case 2:
		return fmt.Sprintf("%04d-%02d-%02d", y, m, d), interval{time.Date(y, m, d, 0, 0, 0, 0, zone), time.Date(y, m, d+1, 0, 0, 0, 0, zone)}
	case 3:
		return at.UTC().Format("2006-01-02T15:04Z"), interval{at.Truncate(time.Minute), at.Truncate(time.Minute).Add(time.Minute)}
	case 4:
		return at.In(time.FixedZone("", -5*3600)).Format("2006-01-02T15:04:05-07:00"), interval{at, at.Add(time.Second)}
	}
	return at.UTC().Format("2006-01-02T15:04:05.000Z"), interval{at, at.Add(time.Millisecond)}
}

func (a interval) holds(op string, s interval) bool {
	eq := !a.lo.Before(s.lo) && !a.hi.After(s.hi)
	switch op {
	case "ne":
		return !eq
	case "lt":
		return a.lo.Before(s.lo)
	case "gt":
		return a.hi.After(s.hi)
	case "le":
		return a.lo.Before(s.hi)
	case "ge":
		return a.hi.After(s.lo)
	case "sa":
		return !a.lo.Before(s.hi)
	case "eb":
		return !a.hi.After(s.lo)
	case "ap":
		var gap time.Duration
		switch {
		case now.Before(s.lo):
			gap = s.lo.Sub(now)
		case s.hi.Before(now):
			gap = now.Sub(s.hi)
		}
		return a.lo.Before(s.hi.Add(gap/10)) && a.hi.After(s.lo.Add(-gap/10))
	}
	return eq
}

var comparators = []string{"", "eq", "ne", "lt", "gt", "le", "ge", "sa", "eb", "ap"}

// SRCH-020 for dates: keys and predicates say what the rules say, and Scan
// proposes whatever matches.
func TestDatesAgainstTheRules(t *testing.T) {
	x := newIndexer(t)
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		first, stored := drawTime(t, zone, "stored")
		body := fmt.Sprintf(`{"resourceType":"Observation","effectiveDateTime":%q}`, first)
		if rapid.Bool().Draw(t, "period") {
			second, last := drawTime(t, zone, "end")
			stored.hi = last.hi
			switch rapid.IntRange(0, 2).Draw(t, "open") {
			case 0:
				body = fmt.Sprintf(`{"resourceType":"Observation","effectivePeriod":{"start":%q}}`, first)
				stored.hi = convertEnd
			case 1:
				body = fmt.Sprintf(`{"resourceType":"Observation","effectivePeriod":{"end":%q}}`, second)
				stored.lo = beginning
			case 2:
				if !stored.lo.Before(stored.hi) {
					t.Skip("the end is before the start")
				}
				body = fmt.Sprintf(`{"resourceType":"Observation","effectivePeriod":{"start":%q,"end":%q}}`, first, second)
			}
		}
		asked, search := drawTime(t, zone, "asked")
		op := rapid.SampledFrom(comparators).Draw(t, "op")
		agree(t, x, body, "date", op, asked, stored.holds(op, search))
	})
}

// fatal is what *rapid.T and *testing.T share.
type fatal interface {
	Helper()
	Errorf(string, ...any)
	Fatalf(string, ...any)
}

func agree(t fatal, x *index.Indexer, body, name, op, asked string, want bool) {
	t.Helper()
	row, err := x.Index("Observation", "1", now, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	p, err := x.Predicate(index.Query{Type: "Observation", Name: name, Values: []string{op + asked}})
	if err != nil {
		t.Fatalf("%s=%s%s: %v", name, op, asked, err)
	}
	if got := store.Match(p, row.Keys); got != want {
		t.Errorf("%s=%s%s on %s: got %v, want %v", name, op, asked, body, got, want)
	}
	if missed := unproposed(p, row.Keys); missed != nil {
		t.Errorf("%s=%s%s on %s: no range of Scan has a key: %+v", name, op, asked, body, missed)
	}
}

// unproposed returns a Span that holds although none of its Scan ranges does.
func unproposed(p store.Pred, keys []store.Key) store.Pred {
	var members []store.Pred
	switch p := p.(type) {
	case store.And:
		members = p
	case store.Or:
		members = p
	case store.Not:
		members = []store.Pred{p.Pred}
	case store.VerifyOnly:
		members = []store.Pred{p.Pred}
	case store.Interval:
		if p.Scan == nil || !store.Match(p, keys) {
			return nil
		}
		for _, r := range p.Scan {
			if store.Match(r, keys) {
				return nil
			}
		}
		return p
	}
	for _, m := range members {
		if missed := unproposed(m, keys); missed != nil {
			return missed
		}
	}
	return nil
}

// SRCH-080 to 088 against rationals.
func TestQuantitiesAgainstTheRules(t *testing.T) {
	x := newIndexer(t)
	value := rapid.StringMatching(`-?(0|[1-9][0-9]?)(\.[0-9]{1,2})?`)
	rat := func(s string) *big.Rat {
		r, _ := new(big.Rat).SetString(s)
		return r
	}
	rapid.Check(t, func(t *rapid.T) {
		text := value.Draw(t, "stored")
		comparator := rapid.SampledFrom([]string{"", "<", "<=", ">", ">="}).Draw(t, "comparator")
		lo, hi := rat(text), rat(text)
		body := fmt.Sprintf(`{"resourceType":"Observation","valueQuantity":{"value":%s,"comparator":%q}}`, text, comparator)
		switch comparator {
		case "":
			body = fmt.Sprintf(`{"resourceType":"Observation","valueQuantity":{"value":%s}}`, text)
		case "<", "<=":
			lo = big.NewRat(-1e12, 1)
		default:
			hi = big.NewRat(1e12, 1)
		}
		asked := value.Draw(t, "asked")
		v := rat(asked)
		half := big.NewRat(1, 2)
		for i := len(asked) - 1; i >= 0 && i > len(asked)-4; i-- {
			if asked[i] == '.' {
				half.Quo(half, rat(fmt.Sprintf("1e%d", len(asked)-1-i)))
			}
		}
		eq := lo.Cmp(new(big.Rat).Sub(v, half)) >= 0 && hi.Cmp(new(big.Rat).Add(v, half)) < 0
		tenth := new(big.Rat).Quo(new(big.Rat).Abs(v), big.NewRat(10, 1))
		op := rapid.SampledFrom(comparators).Draw(t, "op")
		want := map[string]bool{
			"": eq, "eq": eq, "ne": !eq,
			"gt": hi.Cmp(v) > 0, "ge": hi.Cmp(v) >= 0, "lt": lo.Cmp(v) < 0, "le": lo.Cmp(v) <= 0, "sa": lo.Cmp(v) > 0, "eb": hi.Cmp(v) < 0,
			"ap": lo.Cmp(new(big.Rat).Add(v, tenth)) <= 0 && hi.Cmp(new(big.Rat).Sub(v, tenth)) >= 0,
		}[op]
		agree(t, x, body, "value-quantity", op, asked, want)
	})
}
