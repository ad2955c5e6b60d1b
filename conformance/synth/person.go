package synth

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// horizon is how many days back a record goes.
const horizon = 3650

// person is one patient of the region, as the services know them.
type person struct {
	rng       *rand.Rand
	now       time.Time
	n         int
	ref       string // Patient/…
	nhs       string
	woman     bool
	age, band int
	born      time.Time
	last      int // days before now of the last day alive; 1 for the living
	first     int // days before now at which the record begins
	family    string
	given     string
	home      *household
	moved     int // days before now at which the practice was changed; 0 for never
	has       []diagnosis
}

// diagnosis is a lasting illness since a day, and the Condition that records
// it.
type diagnosis struct {
	*illness
	since int // days before now
	ref   string
}

// household is people at one address.
type household struct {
	practice, former int // of the practices
	family           string
	line, town, post string
	phone            int
	people           []*person
}

// chance is true in per of 1000 cases.
func (p *person) chance(per int) bool { return p.rng.IntN(1000) < per }

// times turns a rate per 1000 into a count.
func (p *person) times(per int) int {
	n := per / 1000
	if p.chance(per % 1000) {
		n++
	}
	return n
}

// back is the morning of a day before now, at some minute of opening hours.
func (p *person) back(days int) time.Time {
	y, m, d := p.now.AddDate(0, 0, -max(1, days)).Date()
	return time.Date(y, m, d, 8+p.rng.IntN(10), p.rng.IntN(12)*5, 0, 0, time.UTC)
}

// someday is a day of the record between two, in days before now: from is the
// older. It never leaves the life of the patient.
func (p *person) someday(from, to int) int {
	from, to = min(from, p.first), max(to, p.last)
	if from <= to {
		return to
	}
	return to + p.rng.IntN(from-to)
}

// eachYear calls f for the years of the record, oldest first, with the days
// between which the year lies.
func (p *person) eachYear(since int, f func(from, to int)) {
	for from := min(since, p.first); from > p.last; from -= 365 {
		f(from, max(p.last, from-365))
	}
}

// newHousehold makes the people of one address.
func (g *generator) newHousehold(rng *rand.Rand) *household {
	h := &household{practice: rng.IntN(len(g.practices)), family: pick(rng, g.families), phone: rng.IntN(1000),
		line: strconv.Itoa(1+rng.IntN(180)) + " " + pick(rng, g.streets), town: pick(rng, g.towns),
		post: "TM" + strconv.Itoa(1+rng.IntN(30)) + " " + strconv.Itoa(1+rng.IntN(9)) + string(rune('A'+rng.IntN(26))) + string(rune('A'+rng.IntN(26)))}
	h.former = h.practice
	if rng.IntN(7) == 0 {
		h.former = rng.IntN(len(g.practices))
	}
	moved := 200 + rng.IntN(3000)
	add := func(age int, woman bool) {
		h.people = append(h.people, g.newPerson(rng, h, age, woman, moved))
	}
	ageing := func() int { return 65 + min(rng.IntN(33), rng.IntN(33)) }
	switch kind := rng.IntN(100); {
	case kind < 15: // alone, young
		add(18+rng.IntN(22), rng.IntN(2) == 0)
	case kind < 27: // alone, in middle age
		add(40+rng.IntN(25), rng.IntN(2) == 0)
	case kind < 41: // alone, old
		add(ageing(), rng.IntN(3) > 0)
	case kind < 60: // a couple
		age := 22 + rng.IntN(43)
		add(age, true)
		add(age+rng.IntN(6), false)
	case kind < 71: // an old couple
		age := ageing()
		add(age, true)
		add(age+rng.IntN(5), false)
	default: // a family
		mother := 22 + rng.IntN(26)
		add(mother, true)
		if rng.IntN(5) > 0 {
			add(mother+rng.IntN(6), false)
		}
		for range 1 + rng.IntN(3) {
			add(rng.IntN(min(18, mother-18)), rng.IntN(2) == 0)
		}
	}
	return h
}

func (g *generator) newPerson(rng *rand.Rand, h *household, age int, woman bool, moved int) *person {
	p := &person{rng: rng, now: g.cfg.Now, woman: woman, age: age, band: bandOf(age), home: h, family: h.family, last: 1}
	p.born = g.cfg.Now.AddDate(-age, 0, -7-rng.IntN(350))
	days := int(g.cfg.Now.Sub(p.born) / (24 * time.Hour))
	p.first = min(horizon, days-1)
	if p.band == veryOld && p.chance(60) || p.band == old && p.chance(12) {
		p.last = 1 + rng.IntN(700)
	}
	if h.former != h.practice && moved < p.first && moved > p.last {
		p.moved = moved
	}
	if p.woman {
		p.given = pick(rng, g.women)
	} else {
		p.given = pick(rng, g.men)
	}
	for i := range g.lasting {
		ill := &g.lasting[i]
		if p.chance(ill.per1000[p.band]) && (ill.sex == 0 || ill.sex == 'f' == woman) {
			p.has = append(p.has, diagnosis{illness: ill, since: p.last + rng.IntN(max(1, p.first-p.last))})
		}
	}
	return p
}

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }
