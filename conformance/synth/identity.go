package synth

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// supersededNumbers is the first number of the test range for superseded NHS numbers. The largest
// Region ends before it.
const supersededNumbers = 993_000

// unusedNumbers is the first number of the test range above those of superseded NHS numbers.
const unusedNumbers = 995_000

// supersededPerson is the number, modulo 1000, of the people who have a superseded NHS number.
const supersededPerson = 99

// newbornDays is the age in days below which the Patient of the trust has a temporary identity.
const newbornDays = 120

// identity has the facts about a person from which the Patients of the sources are made.
type identity struct {
	middle        string // second given name, or empty
	maiden        string // family name before a marriage, or empty
	former        address
	superseded    string // NHS number that the current one superseded, or empty
	newborn       bool
	avoidsTrusts  bool          // has no hospital care
	complexCare   bool          // has care from all kinds of sources
	oldNumberFrom *sourceWriter // the source that uses the superseded number
}

// address is a postal address.
type address struct{ line, town, postcode string }

// identityRand returns a random source that depends on the seed of the region and on two numbers. The
// random source of a household is for its care.
func (g *generator) identityRand(a, b int) *rand.Rand {
	return rand.New(rand.NewPCG(g.cfg.Seed^0x9e3779b97f4a7c15, uint64(a)<<16|uint64(b)))
}

// identify draws the identities of the people of a household, after their numbers are known.
func (g *generator) identify(h *household) {
	rng := g.identityRand(h.people[0].number, 0xffff)
	former := g.newAddress(rng)
	if rng.IntN(20) == 0 {
		g.makeTwins(h)
	}
	for i, p := range h.people {
		id := identity{former: former}
		rng := g.identityRand(p.number, 0)
		if other := pick(rng, g.givenNames(p)); other != p.given && rng.IntN(100) < 40 {
			id.middle = other
		}
		if i == 0 && p.female && len(h.people) > 1 && h.people[1].band != child {
			if maiden := pick(rng, g.families); maiden != p.family {
				id.maiden = maiden
			}
		}
		if p.number%1000 == supersededPerson {
			id.superseded = g.superseded.next()
		}
		id.newborn = p.now.Sub(p.born) < newbornDays*24*time.Hour && i > 0
		id.avoidsTrusts = !id.newborn && id.superseded == "" && rng.IntN(100) < [bands]int{40, 45, 25, 5, 0}[p.band]
		id.complexCare = p.band >= old && rng.IntN(100) < 5
		p.identity = id
	}
}

// makeTwins gives the last two children of a household one birth date and different given names.
func (g *generator) makeTwins(h *household) {
	n := len(h.people)
	if n < 3 || h.people[n-2].band != child || h.people[n-1].band != child {
		return
	}
	first, second := h.people[n-2], h.people[n-1]
	second.age, second.born, second.firstDay, second.movedDay, second.illnesses = first.age, first.born, first.firstDay, first.movedDay, nil
	for i := 0; second.given == first.given; i++ {
		second.given = g.givenNames(second)[i]
	}
}

// givenNames returns the given names from which those of a person are drawn.
func (g *generator) givenNames(p *person) []string {
	if p.female {
		return g.women
	}
	return g.men
}

// newAddress draws an address.
func (g *generator) newAddress(rng *rand.Rand) address {
	return address{line: strconv.Itoa(1+rng.IntN(180)) + " " + pick(rng, g.streets), town: pick(rng, g.towns),
		postcode: "TM" + strconv.Itoa(1+rng.IntN(30)) + " " + strconv.Itoa(1+rng.IntN(9)) + string(rune('A'+rng.IntN(26))) + string(rune('A'+rng.IntN(26)))}
}

// writeBirth writes the stay at the trust in which a newborn was born.
func (g *generator) writeBirth(p *person) {
	g.homeTrust(p).encounter(p, "IMP", "inpatient encounter", g.codes.inpatient, p.firstDay, 24*60, "")
}

// writeComplexCare writes care from both trusts, district nurses, the mental-health trust and social
// care.
func (g *generator) writeComplexCare(p *person) {
	for _, w := range g.trusts {
		g.outpatientVisit(w, p, p.dayBetween(900, p.lastDay))
	}
	g.districtNursing(p)
	g.socialCare(p)
	for i := range g.chronic {
		if g.chronic[i].code.code == dementia {
			g.mentalHealthCare(p, &diagnosis{illness: &g.chronic[i], since: p.dayBetween(900, p.lastDay)})
		}
	}
}

// homeTrust returns the acute trust in the area of the registered practice.
func (g *generator) homeTrust(p *person) *sourceWriter {
	return g.trusts[p.home.practice%len(g.trusts)]
}
