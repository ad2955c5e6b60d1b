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
	uncounted        int // no number, or one that is not verified; newborns of a trust are not included
	maiden           int // the maiden name, if the person has one
	initial          int // an initial instead of the given name
	misspelt         int // a typing error in the family name, and in the given name
	formerAddress    int
	noTelephone      int
	partialBirthDate int  // only the year or the month of birth
	ascii            bool // all names are written without accents
}

// Shares of wrong birth dates, per thousand.
const (
	contradictedShare = 5  // of Patients with a counting number
	transposedShare   = 80 // of the other Patients, if day and month can be exchanged
)

// ratesOf returns the rates of a source for a person.
func (g *generator) ratesOf(w *sourceWriter, p *person) errorRates {
	var r errorRates
	switch w.organisation.Kind {
	case "gp":
		r = errorRates{maiden: 50, initial: 10, misspelt: 5, formerAddress: 20, noTelephone: 50}
		if w != g.practices[p.home.practice] { // the practice that the patient left
			r.maiden, r.formerAddress = 500, 700
		}
	case "acute":
		r = errorRates{uncounted: 54, maiden: 250, initial: 40, misspelt: 20, formerAddress: 100, noTelephone: 200, ascii: true}
	case "community":
		r = errorRates{maiden: 200, initial: 60, misspelt: 30, formerAddress: 80, noTelephone: 150, partialBirthDate: 10}
	case "mental-health":
		r = errorRates{uncounted: 80, maiden: 250, initial: 60, misspelt: 30, formerAddress: 120, noTelephone: 300}
	case "social-care":
		r = errorRates{uncounted: 300, maiden: 250, initial: 120, misspelt: 40, formerAddress: 150, noTelephone: 250, partialBirthDate: 40, ascii: true}
	}
	return r
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
		s.verification, s.state, s.reason = pick(rng, []string{"02", "03", "04"}), NotJoined, NumberNotVerified
	}
}

// drawBirthDate replaces the birth date by a wrong or partial one in some cases. A wrong one makes a
// joined Patient a contradicted one.
func (g *generator) drawBirthDate(s *sourcePatient, p *person, rng *rand.Rand, rates errorRates) {
	switch n := rng.IntN(1000); {
	case s.state == Joined && s.nhs == p.nhs && n < contradictedShare:
		s.birthDate, s.state = otherBirthDate(rng, p.born, p.now).Format(time.DateOnly), Contradicted
	case s.state == NotJoined && n < transposedShare:
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
