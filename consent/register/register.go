package register

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"

	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Register says who has a directive or a restriction, in memory: the authority on
// that (CON-1603). It goes by names (index.AboutKey): a Consent may name somebody by
// a number that several Patients bear, or none yet. A directive by a number covers
// every Patient that bears the number in any version, and every document that names
// it; one by id covers what is about that id, and documents that name a number which that
// Patient bears or bore, whoever else bears it.
//
// It is a function of the committed documents: load makes it from them. A commit
// that says something new passes through expect before it is made, which puts into
// force what it denies, and then through over, which puts into force what it says
// and nothing else. These commits are made one after the other, so that the register
// follows them in the order of the store. It is safe for concurrent use.
type Register struct {
	// CommitLock is held over every commit that says something new to the register.
	CommitLock *semaphore.Weighted

	mu sync.RWMutex
	// by document: what it says now.
	statements map[store.Ref]statement
	// by document: what commits of unknown outcome would have it say. It is in force
	// beside what docs has, until another version of the document is committed.
	unknown map[store.Ref][]statement
	// by name: how many documents say so.
	optOut, directive, restricted map[string]int
	// by name of an identifier: how many Consents name it, whatever they say.
	identifierCount map[string]int
	// by id of a Patient: how many documents say something of the Patient by the id.
	patientCount map[string]int
	// patientsOf are the Patients that bear or bore an identifier, by its name, where a Consent
	// names the identifier or something is said of the Patient by the id; bears is the
	// reverse. The value is whether that is committed.
	patientsOf, identifiersOf map[string]map[string]bool
	// deleted are the deleted Patients among these: of whom something is said by the id.
	deleted map[string]bool
	// inFlight are the identifiers of Patients that commits under way write.
	inFlight map[*store.Write][]string
	// unknownOutcome are those of them whose outcome is unknown, until another version of the
	// Patient is committed.
	unknownOutcome map[*store.Write]bool
	// forgetting are the Patients that were deleted, by the version that did it. What is in
	// docs and bears of them stays until nobody reads any more whose snapshot may be from
	// before: there their documents are still found by their ids.
	forgetting map[store.Ref]uint64
}

// statement is what one document says of whom.
type statement struct {
	names                         []string
	optOut, directive, restricted bool
}

func New() *Register {
	return &Register{
		CommitLock: semaphore.NewWeighted(1),
		statements: map[store.Ref]statement{}, unknown: map[store.Ref][]statement{},
		optOut: map[string]int{}, directive: map[string]int{}, restricted: map[string]int{}, identifierCount: map[string]int{}, patientCount: map[string]int{}, deleted: map[string]bool{},
		patientsOf: map[string]map[string]bool{}, identifiersOf: map[string]map[string]bool{},
		inFlight: map[*store.Write][]string{}, unknownOutcome: map[*store.Write]bool{}, forgetting: map[store.Ref]uint64{},
	}
}

// Load reads all directives and restrictions of the store.
func (r *Register) Load(ctx context.Context, s store.Store) error {
	err := s.Read(ctx, func(snap store.Snap) error {
		for _, q := range []store.Query{
			{Type: "Consent", Where: store.Eq{Key: index.FactKey(index.FactOptOut)}, KeysOnly: true},
			{Type: "Consent", Where: store.Eq{Key: index.FactKey(index.FactDirective)}, KeysOnly: true},
			{Type: "Patient", Where: store.Eq{Key: index.FactKey(index.FactRestricted)}, KeysOnly: true},
		} {
			for d, err := range snap.Scan(ctx, q) {
				if err != nil {
					return fmt.Errorf("load directives: %w", err)
				}
				r.replay(d)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.FindPatients(ctx, s, slices.Collect(maps.Keys(r.identifierCount)), slices.Collect(maps.Keys(r.patientCount)))
}

// replay puts a committed document into force that was not expected.
func (r *Register) replay(d store.Doc) {
	writes := []store.Write{{Doc: d}}
	r.Begin(writes)
	r.End(writes, func(*store.Write) bool { return true }, nil) // of what is live: nobody leaves
}

// statementOf says what a document says of its patients.
func statementOf(d store.Doc) statement {
	switch {
	case d.Ref.Type == "Consent" && !d.Deleted():
		return statement{
			names:     index.Names(d.Keys, index.CoversPrefix()),
			optOut:    facts.Has(d.Keys, index.FactOptOut),
			directive: facts.Has(d.Keys, index.FactDirective),
		}
	case d.Ref.Type == "Patient" && !d.Deleted():
		return statement{names: []string{d.Ref.ID}, restricted: facts.Has(d.Keys, index.FactRestricted)}
	}
	return statement{}
}

func (e statement) decides() bool { return e.optOut || e.directive || e.restricted }

// NeedsOrder reports whether the register depends on the order of a write and others of the
// same document. Such a commit runs under commits: every one of a Consent, and of a
// Patient one that sets or ends a restriction, deletes the Patient or brings it back.
func (r *Register) NeedsOrder(old, now store.Doc) bool {
	switch now.Ref.Type {
	case "Consent":
		return true
	case "Patient":
		return now.Deleted() || old.Deleted() || statementOf(old).decides() || statementOf(now).decides()
	}
	return false
}

// Begin puts into force what the writes of a commit deny, before it is made, and
// notes which Patients they bring. over has to follow.
func (r *Register) Begin(writes []store.Write) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range writes {
		w := &writes[i]
		r.count(statementOf(w.Doc), +1)
		if w.Doc.Ref.Type != "Patient" || w.Doc.Deleted() {
			continue
		}
		if identifiers := index.Names(w.Doc.Keys, index.BearsPrefix()); len(identifiers) > 0 {
			r.inFlight[w] = identifiers
			r.linkNamed(identifiers, w.Doc.Ref.ID, false)
		}
	}
}

// End puts into force what the writes of a commit say, all at once, or takes back
// what expect did where the commit failed. err is the outcome of the commit. tells says
// which writes were made in order. left are the deleted Patients, for forget.
func (r *Register) End(writes []store.Write, needsOrder func(*store.Write) bool, err error) (deleted map[store.Ref]uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range writes {
		w := &writes[i]
		ref, now := w.Doc.Ref, statementOf(w.Doc)
		identifiers := r.inFlight[w]
		delete(r.inFlight, w)
		if err == nil {
			defer r.dropUnknown(ref)
		}
		switch {
		case err == nil && !needsOrder(w):
			r.linkNamed(identifiers, ref.ID, true)
		case err == nil && ref.Type == "Patient" && w.Doc.Deleted():
			if deleted == nil {
				deleted = map[store.Ref]uint64{}
			}
			deleted[ref], r.forgetting[ref] = w.Doc.Version, w.Doc.Version
		case err == nil:
			delete(r.forgetting, ref)
			if ref.Type == "Patient" {
				delete(r.deleted, ref.ID)
			}
			r.replace(ref, now)
			//law:register-said
			r.linkNamed(identifiers, ref.ID, true)
		case errors.Is(err, store.ErrUnknown):
			delete(r.forgetting, ref)
			if now.decides() {
				r.unknown[ref] = append(r.unknown[ref], now)
			}
			if len(identifiers) > 0 { // it may be there, or come yet
				r.inFlight[w], r.unknownOutcome[w] = identifiers, true
			}
		default:
			r.count(now, -1)
			r.unlinkFailed(identifiers, ref.ID)
		}
	}
	return deleted
}

// dropUnknown ends what was kept of commits of unknown outcome, where another version of the
// Patient was committed since.
func (r *Register) dropUnknown(ref store.Ref) {
	for w := range r.unknownOutcome {
		if w.Doc.Ref != ref {
			continue
		}
		identifiers := r.inFlight[w]
		delete(r.inFlight, w)
		delete(r.unknownOutcome, w)
		r.unlinkFailed(identifiers, ref.ID)
	}
}

// Forget takes deleted Patients out, unless they have come back. What a commit under way
// brings back stays until its outcome is known.
func (r *Register) Forget(deleted map[store.Ref]uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ref, version := range deleted {
		if r.forgetting[ref] != version {
			continue
		}
		delete(r.forgetting, ref)
		r.replace(ref, statement{})
		if r.patientCount[ref.ID] > 0 { // what is said of the Patient by the id stays in force
			r.deleted[ref.ID] = true
			continue
		}
		identifiers := slices.Collect(maps.Keys(r.identifiersOf[ref.ID]))
		for _, name := range identifiers {
			r.patientsOf[name][ref.ID], r.identifiersOf[ref.ID][name] = false, false // not committed any more
		}
		r.unlinkFailed(identifiers, ref.ID)
	}
}

// replace puts what a document says now in the place of what it said and may have said.
func (r *Register) replace(ref store.Ref, now statement) {
	r.count(r.statements[ref], -1)
	for _, e := range r.unknown[ref] {
		r.count(e, -1)
	}
	delete(r.unknown, ref)
	if delete(r.statements, ref); now.decides() {
		r.statements[ref] = now
	}
}

// count takes an entry in or out. What is committed was expected: expect counted it.
func (r *Register) count(e statement, by int) {
	add := func(m map[string]int, name string, holds bool) {
		if !holds {
			return
		}
		if m[name] += by; m[name] == 0 {
			delete(m, name)
		}
	}
	for _, name := range e.names {
		add(r.optOut, name, e.optOut)
		add(r.directive, name, e.directive)
		add(r.restricted, name, e.restricted)
		add(r.identifierCount, name, e.decides() && facts.IsIdentifierName(name))
		add(r.patientCount, name, e.decides() && !facts.IsIdentifierName(name))
		switch {
		case by > 0:
		case facts.IsIdentifierName(name) && r.identifierCount[name] == 0:
			r.unlinkIdentifier(name)
		case !facts.IsIdentifierName(name) && r.patientCount[name] == 0:
			r.unlinkPatient(name)
		}
	}
}
