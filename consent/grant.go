package consent

import (
	"errors"

	"carerecord/consent/backlog"
	"carerecord/consent/register"
	"carerecord/fhir"
	"carerecord/store"
)

// Grant is the outcome of a decision. It is data: a predicate for each type,
// whether bodies are cut, and what is told of hidden things. It holds for one
// snapshot and one request.
type Grant struct {
	principal         *Principal
	patient           string // the patient whom the request names, as found; empty for none
	hiddenSuffix      string // how keys end that name a patient of whom nothing is left; empty for none
	sets              register.Sets
	hidden            *hiddenPatients   // patients whose record is not there at all
	stale             *backlog.StaleSet // documents that may stand under keys that are not theirs any more
	refersToLabelled  store.Pred        // documents that may refer to rows that labels hide
	rules             Rules             // what a Decider takes away
	withheld          bool              // S2
	ownRecordWithheld bool              // a patient's own record is withheld whole
	Step              int               // the step that decided
	Reason            string            // for the trail
}

// Patient returns the id of the patient whom the request names and who has a
// record, or "".
func (g *Grant) Patient() string { return g.patient }

// Principal returns who asked.
func (g *Grant) Principal() Principal { return *g.principal }

// May reports whether the scopes and the rules give one of the letters on a type.
func (g *Grant) May(typ, letters string) bool {
	return g.principal.May(typ, letters) && g.rules.permit(typ, letters)
}

// Refusal is a decision that ends the request.
type Refusal struct {
	Step   int
	Reason string // the code of the answer, or a word for the trail
	Err    *fhir.Error
}

// Error returns the client's sentence.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the answer.
func (r *Refusal) Unwrap() error { return r.Err }

// AsRefusal finds the Refusal in a chain.
func AsRefusal(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}
