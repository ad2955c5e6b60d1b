package synth

import (
	"math/rand/v2"
	"strconv"
	"time"
)

const (
	nhsNumberSystem    = "https://fhir.nhs.uk/Id/nhs-number"
	verificationURL    = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus"
	verificationSystem = "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatusEngland"
)

// errorRates are the shares, per thousand, of the Patients of a source that differ from the patient
// index.
type errorRates struct {
	uncounted           int // have no number, or one that is not verified
	maiden              int // of those who changed their name: have the old one
	initial             int // have an initial instead of the given name
	misspelt            int // have a typing error in a name
	formerAddress       int
	noTelephone         int
	partialBirthDate    int  // have the year or the month of birth only
	ascii               bool // all names are written without accents
	contradicted        int  // of those with a counting number: have another birth date
	transposedBirthDate int  // of those without a counting number: have day and month exchanged, if that is a date
}

// ratesOf returns the rates of a source for a person.
func (g *generator) ratesOf(w *sourceWriter, p *person) errorRates {
	rates := errorRates{contradicted: 5, transposedBirthDate: 80}
	switch w.organisation.Kind {
	case "gp":
		rates.maiden, rates.initial, rates.misspelt, rates.formerAddress, rates.noTelephone = 50, 10, 5, 20, 50
		if w != g.practices[p.home.practice] { // the practice that the patient left
			rates.maiden, rates.formerAddress = 500, 700
		}
	case "acute":
		rates.uncounted, rates.maiden, rates.initial, rates.misspelt, rates.formerAddress, rates.noTelephone, rates.ascii = 60, 250, 40, 20, 100, 200, true
	case "community":
		rates.maiden, rates.initial, rates.misspelt, rates.formerAddress, rates.noTelephone, rates.partialBirthDate = 200, 60, 30, 80, 150, 10
	case "mental-health":
		rates.uncounted, rates.maiden, rates.initial, rates.misspelt, rates.formerAddress, rates.noTelephone = 80, 250, 60, 30, 120, 300
	case "social-care":
		rates.uncounted, rates.maiden, rates.initial, rates.misspelt, rates.formerAddress, rates.noTelephone, rates.partialBirthDate, rates.ascii = 300, 250, 120, 40, 150, 250, 40, true
	}
	return rates
}

// sourcePatient is the Patient of one source for one person.
type sourcePatient struct {
	nhs, verification string // NHS number and its verification status; either can be empty
	replaced          string // superseded NHS number that is marked as old, or empty
	local             string // local identifier of the source
	family, given     string
	middle            string // second given name or its initial, or empty
	maiden            string // earlier family name in a name of its own, or empty
	birthDate         string
	address           address
	telephone         bool
	state             IdentityState
	reason            Reason
}

// drawPatient draws the Patient of a source. It does not depend on the order in which Patients are
// drawn.
func (g *generator) drawPatient(w *sourceWriter, source int, p *person) sourcePatient {
	rng := g.identityRand(p.number, source+1)
	chance := func(perThousand int) bool { return rng.IntN(1000) < perThousand }
	rates := g.ratesOf(w, p)
	s := sourcePatient{nhs: p.nhs, local: localNumber(source, p.number), family: p.family, given: p.given, birthDate: p.born.Format(time.DateOnly),
		address: p.home.address, telephone: !chance(rates.noTelephone)}
	g.drawNumber(&s, w, p, rng, rates)
	if chance(600) {
		s.middle = p.identity.middle
	} else if p.identity.middle != "" && chance(500) {
		s.middle = initial(p.identity.middle)
	}
	switch {
	case p.identity.maiden != "" && chance(rates.maiden):
		s.family = p.identity.maiden
	case p.identity.maiden != "" && chance(250):
		s.maiden = p.identity.maiden
	}
	if chance(rates.misspelt) {
		s.family = misspell(rng, s.family)
	} else if chance(rates.misspelt) {
		s.given = misspell(rng, s.given)
	}
	if chance(rates.initial) {
		s.given = initial(s.given)
	}
	if rates.ascii {
		s.family, s.given, s.maiden, s.middle = asciiNames.Replace(s.family), asciiNames.Replace(s.given), asciiNames.Replace(s.maiden), asciiNames.Replace(s.middle)
	}
	if chance(rates.formerAddress) {
		s.address = p.identity.former
	}
	g.drawBirthDate(&s, p, rng, rates)
	return s
}

// drawNumber draws the NHS number, its verification status and the state that follows from them.
func (g *generator) drawNumber(s *sourcePatient, w *sourceWriter, p *person, rng *rand.Rand, rates errorRates) {
	s.state = Joined
	uncounted, numberless := rng.IntN(1000) < rates.uncounted, rng.IntN(2) == 0
	if w.organisation.Kind == "gp" || w.organisation.Kind == "acute" || rng.IntN(2) == 0 {
		s.verification = "01"
	}
	traced := g.weights.traced(w.organisation.ODS)
	switch {
	case p.identity.newborn && w == g.homeTrust(p):
		uncounted, numberless = true, true
	case w == p.identity.oldNumberFrom:
		s.nhs, uncounted = p.identity.superseded, false
	case w == g.practices[p.home.practice]:
		s.replaced = p.identity.superseded
	}
	switch {
	case uncounted && (numberless || !traced):
		s.nhs, s.verification, s.state, s.reason = "", "", NotJoined, NoNumber
	case !traced:
		s.state, s.reason = NotJoined, UntracedSource
	case uncounted:
		s.verification, s.state, s.reason = pick(rng, []string{"02", "03", "04"}), NotJoined, NumberUnchecked
	}
}

// drawBirthDate replaces the birth date by a wrong or partial one in some cases. A wrong one makes a
// joined Patient a contradicted one.
func (g *generator) drawBirthDate(s *sourcePatient, p *person, rng *rand.Rand, rates errorRates) {
	switch n := rng.IntN(1000); {
	case s.state == Joined && s.nhs == p.nhs && n < rates.contradicted:
		s.birthDate, s.state = otherBirthDate(rng, p.born, p.now).Format(time.DateOnly), Contradicted
	case s.state == NotJoined && n < rates.transposedBirthDate:
		if other, ok := transpose(p.born, p.now); ok {
			s.birthDate = other.Format(time.DateOnly)
		}
	case 500 <= n && n < 500+rates.partialBirthDate:
		s.birthDate = s.birthDate[:len([...]string{"2006", "2006-01"}[rng.IntN(2)])]
	}
}

func initial(name string) string { return string([]rune(name)[:1]) }

// localNumber returns the identifier of a person in a source. Those of two sources are unrelated, and
// those of one source are unique.
func localNumber(source, person int) string {
	return strconv.Itoa(10_000_000 + (person*7_368_787+source*1_234_577)%10_000_000)
}
