package consent

import (
	"context"
	"errors"
	"slices"

	"carerecord/consent/backlog"
	"carerecord/consent/facts"
	"carerecord/consent/register"
	"carerecord/fhir"
	"carerecord/fhir/index"
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

// hiddenPatients are those of whom a clinician of an organisation sees no
// record: restricted, denied, or opted out without own-source rows. The last
// asks the snapshot, once for each patient and request. It is for the goroutine
// of the request.
type hiddenPatients struct {
	ctx          context.Context // of the request that the set lives in
	snap         store.Snap
	sets         register.Sets
	organisation string
	noRecord     store.Set // by a Decider; nil for nobody
	cache        map[string]bool
	deletedCache map[string]bool // of deleted Patients: whether the record was hidden
	searched     bool            // for own-source rows of somebody
	failed       *error          // set when the store did not answer: the request fails
}

// Has reports whether a patient's record is hidden. Where the store does not
// answer it says yes, and the request ends with the store's error.
func (h *hiddenPatients) Has(patient string) bool {
	if h.sets.Restricted.Has(patient) || h.sets.Denied.Has(patient) || h.noRecord != nil && h.noRecord.Has(patient) {
		return true
	}
	if !h.sets.OptedOut.Has(patient) {
		return false
	}
	if hidden, ok := h.cache[patient]; ok {
		return hidden
	}
	left, err := h.hasSourceRows(patient)
	if err != nil {
		*h.failed = err
		return true
	}
	if h.cache == nil {
		h.cache = map[string]bool{}
	}
	h.cache[patient] = !left
	return !left
}

// hasSourceRows asks whether own-source rows of a patient are there.
func (h *hiddenPatients) hasSourceRows(patient string) (bool, error) {
	h.searched = true
	n, err := h.snap.Count(h.ctx, store.Query{Where: store.Eq{Key: index.SourceRowKey(patient, h.organisation)}, KeysOnly: true}, 1)
	return n > 0, err
}

// mentionedHidden is hiddenPatients for those whom a document mentions (CON-407): they may
// have been deleted, and the register knows the living only.
type mentionedHidden struct{ *hiddenPatients }

// Has reports whether a patient's record is hidden, or was when the Patient was deleted, or
// is refused by an identifier that the Patient bore.
func (h mentionedHidden) Has(patient string) bool {
	if h.hiddenPatients.Has(patient) {
		return true
	}
	if facts.IsIdentifierName(patient) {
		return false
	}
	if was, known := h.deletedCache[patient]; known {
		return was
	}
	d, err := h.snap.Get(h.ctx, store.Ref{Type: "Patient", ID: patient})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		*h.failed = err
		return true
	}
	was := err == nil && d.Deleted() && (facts.Has(d.Keys, index.FactRestricted) ||
		slices.ContainsFunc(index.Names(d.Keys, index.BearsPrefix()), h.hiddenPatients.Has))
	if h.deletedCache == nil {
		h.deletedCache = map[string]bool{}
	}
	h.deletedCache[patient] = was
	return was
}
