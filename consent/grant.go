package consent

import (
	"errors"

	"carerecord/consent/backlog"
	"carerecord/consent/register"
	"carerecord/fhir"
	"carerecord/store"
)

// Grant is the outcome of a decision: a predicate for each type, whether bodies are cut, and which
// signals about hidden rows are sent. It is for one snapshot and one request.
type Grant struct {
	principal         *Principal
	patient           string       // id of the named patient who has a record; empty for none
	person            string       // person key of that patient
	own               *ownRecordOf // of a token that is bound to a patient; nil for all others
	failed            *error       // the first error of a predicate's reads
	hiddenSuffix      string       // ends the keys that name a patient whose record is hidden; empty for none
	sets              register.Sets
	hidden            *hiddenPatients         // of whom there is no record
	stale             *backlog.StaleSet       // documents whose keys may be outdated
	refersToLabelled  store.Pred              // documents that may refer to rows that labels hide
	rules             Rules                   // of a Decider
	withheld          bool                    // signal S2
	staff             *staffParts             // nil before they are made
	decided           map[string]store.Pred   // answers of whereDecided, by type
	ownRecordWithheld bool                    // of a token that is bound to a patient
	context           *ownRecordOf            // the person in context of patient/ scopes of staff; nil for none
	contextHidden     bool                    // policy hides the Patient in context
	readsFHIRUser     bool                    // the request reads the resource that fhirUser names (SMART-261)
	scoped            map[scopeKey]store.Pred // answers of withinScopes
	Step              int                     // the step that decided
	Reason            string                  // for the audit trail
}

// Patient returns the id of a Patient of the person whom the request names and who has a record, or "".
func (g *Grant) Patient() string { return g.patient }

// Principal returns the requester.
func (g *Grant) Principal() Principal { return *g.principal }

// May reports whether the scopes and the rules permit one of some permissions on a type.
func (g *Grant) May(typ, permissions string) bool {
	return g.principal.May(typ, permissions) && g.rules.permit(typ, permissions)
}

// Refusal is a decision that ends the request.
type Refusal struct {
	Step   int
	Reason string // the code of the answer, or a word for the audit trail
	Err    *fhir.Error
}

// Error returns the text for the client.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the answer.
func (r *Refusal) Unwrap() error { return r.Err }

// AsRefusal finds a Refusal in the chain of an error.
func AsRefusal(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}
