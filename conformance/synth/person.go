package synth

import (
	"math/rand/v2"
	"time"
)

// recordDays is the maximum length of a record in days.
const recordDays = 3650

// person is one patient of the region.
type person struct {
	rng       *rand.Rand
	now       time.Time
	number    int
	ref       string // Patient/…
	nhs       string
	female    bool
	age, band int
	born      time.Time
	lastDay   int // days before now of the last day alive; 1 for the living
	firstDay  int // days before now at which the record begins
	family    string
	given     string
	home      *household
	movedDay  int // days before now at which the person changed the practice; 0 for never
	illnesses []diagnosis
	ethnicity string    // code of the UK Core ethnic category
	died      time.Time // zero for the living
	identity  identity  // of the shape PatientPerSource only
}

// diagnosis is a chronic illness of a person, with the reference to its Condition.
type diagnosis struct {
	*illness
	since int // days before now
	ref   string
}

// household is a group of people at one address.
type household struct {
	practice, formerPractice int // indexes of practices
	family                   string
	address
	phone  int
	people []*person
}

// chance returns true in perThousand of 1000 calls.
func (p *person) chance(perThousand int) bool { return p.rng.IntN(1000) < perThousand }

// countOf draws a count whose mean is perThousand / 1000.
func (p *person) countOf(perThousand int) int {
	n := perThousand / 1000
	if p.chance(perThousand % 1000) {
		n++
	}
	return n
}

// openingTime returns a time in the opening hours of the day that is so many days before now.
func (p *person) openingTime(days int) time.Time {
	y, m, d := p.now.AddDate(0, 0, -max(1, days)).Date()
	return time.Date(y, m, d, 8+p.rng.IntN(10), p.rng.IntN(12)*5, 0, 0, time.UTC)
}

// dayBetween draws a day between from, the earlier day, and to, within the record and the life of the
// patient. All days are in days before now.
func (p *person) dayBetween(from, to int) int {
	from, to = min(from, p.firstDay), max(to, p.lastDay)
	if from <= to {
		return to
	}
	return to + p.rng.IntN(from-to)
}

// eachYear calls f for each year of the record since a day, the oldest first, with the first and the
// last day of the year.
func (p *person) eachYear(since int, f func(from, to int)) {
	for from := min(since, p.firstDay); from > p.lastDay; from -= 365 {
		f(from, max(p.lastDay, from-365))
	}
}

// newHousehold draws a household.
func (g *generator) newHousehold(rng *rand.Rand) *household {
	h := &household{practice: rng.IntN(len(g.practices)), family: pick(rng, g.families), phone: rng.IntN(1000), address: g.newAddress(rng)}
	h.formerPractice = h.practice
	if rng.IntN(7) == 0 {
		h.formerPractice = rng.IntN(len(g.practices))
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
	p := &person{rng: rng, now: g.cfg.Now, female: woman, age: age, band: bandOf(age), home: h, family: h.family, lastDay: 1}
	p.born = g.cfg.Now.AddDate(-age, 0, -7-rng.IntN(350))
	days := int(g.cfg.Now.Sub(p.born) / (24 * time.Hour))
	p.firstDay = min(recordDays, days-1)
	if p.band == veryOld && p.chance(60) || p.band == old && p.chance(12) {
		p.lastDay = 1 + rng.IntN(700)
	}
	if h.formerPractice != h.practice && moved < p.firstDay && moved > p.lastDay {
		p.movedDay = moved
	}
	if p.female {
		p.given = pick(rng, g.women)
	} else {
		p.given = pick(rng, g.men)
	}
	for i := range g.chronic {
		ill := &g.chronic[i]
		if p.chance(ill.per1000[p.band]) && (ill.sex == 0 || ill.sex == 'f' == woman) {
			p.illnesses = append(p.illnesses, diagnosis{illness: ill, since: p.lastDay + rng.IntN(max(1, p.firstDay-p.lastDay))})
		}
	}
	return p
}

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }
