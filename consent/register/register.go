// Package register is the in-memory table of directives and restrictions.
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

// Register is the in-memory table of directives and restrictions, and the authority on them (CON-1603).
// Its keys are the names of persons (index.AboutKey): a Consent can name a person by a number that no
// Patient or several Patients have. A directive by number covers every Patient that has the number in any
// version, the person of each of them, and every document that names the number. A directive by id covers
// that Patient, and every person of a national number that the Patient has or had (IDN-130).
//
// The register is a function of the committed documents: Load rebuilds it. A commit that changes it calls
// Begin, which puts into force everything that the commit denies, and then End, which replaces that by
// everything that the commit says. These commits are made one by one, in the order of the store. It is
// safe for concurrent use.
type Register struct {
	// CommitLock is held by every commit for which NeedsOrder is true.
	CommitLock *semaphore.Weighted

	connects, isIndexTie func(name string) bool

	mu sync.RWMutex
	// statements are the current statements by document.
	statements map[store.Ref]statement
	// unknown are the statements of commits of unknown outcome, by document. They are in force in
	// addition, until another version of the document is committed.
	unknown map[store.Ref][]statement
	// By name: how many documents say so.
	optOut, directive, restricted map[string]int
	// identifierCount is how many Consents name an identifier, by its name.
	identifierCount map[string]int
	// patientCount is how many documents make a statement about a Patient, by id.
	patientCount map[string]int
	// patientsOf are the Patients that have or had an identifier, by its name; identifiersOf is the
	// reverse. They have all Patients about whom there may be a statement (linkRelevant), and may
	// have others about whom there was one. The value is whether that is committed.
	patientsOf, identifiersOf map[string]map[string]bool
	// deleted are the deleted Patients among these, with a statement about their id.
	deleted map[string]bool
	// inFlight are the identifiers of Patients in in-flight commits.
	inFlight map[*store.Write][]string
	// unknownOutcome are the writes of inFlight whose outcome is unknown, until another version
	// of the Patient is committed.
	unknownOutcome map[*store.Write]bool
	// forgetting are the deleted Patients, by the version of the tombstone. Their statements and
	// identifiers stay until all reads have ended whose snapshot may be from before the
	// deletion: in it, documents are still found by their ids.
	forgetting map[store.Ref]uint64
}

// statement is the content of one document that decides, and the names whom it is about.
type statement struct {
	names                         []string
	optOut, directive, restricted bool
}

// New makes an empty Register. connects reports whether all Patients that have or had an identifier, by its name, may be
// one person (facts.Keyer.Connects); isIndexTie reports whether a name is that of a tie between Patients of the patient index
// (facts.Keyer.IsIndexTie).
func New(connects, isIndexTie func(name string) bool) *Register {
	return &Register{
		connects: connects, isIndexTie: isIndexTie,
		CommitLock: semaphore.NewWeighted(1),
		statements: map[store.Ref]statement{}, unknown: map[store.Ref][]statement{},
		optOut: map[string]int{}, directive: map[string]int{}, restricted: map[string]int{}, identifierCount: map[string]int{}, patientCount: map[string]int{}, deleted: map[string]bool{},
		patientsOf: map[string]map[string]bool{}, identifiersOf: map[string]map[string]bool{},
		inFlight: map[*store.Write][]string{}, unknownOutcome: map[*store.Write]bool{}, forgetting: map[store.Ref]uint64{},
	}
}

// Load reads all directives and restrictions of a store.
func (r *Register) Load(ctx context.Context, s store.Store) error {
	err := s.Read(ctx, func(snap store.Snapshot) error {
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

// replay applies a document that is committed already.
func (r *Register) replay(d store.Doc) {
	writes := []store.Write{{Doc: d}}
	r.Begin(writes)
	r.End(writes, func(*store.Write) bool { return true }, nil) // it is live: none is deleted
}

// statementOf reads the statement of a document from its keys.
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

// NeedsOrder reports whether the register depends on the order of a write and other writes of the same
// document: every write of a Consent, and of a Patient one that sets or ends a restriction, deletes the
// Patient or restores it, or of one of the patient index with links. Such a commit holds CommitLock.
func (r *Register) NeedsOrder(old, now store.Doc) bool {
	switch now.Ref.Type {
	case "Consent":
		return true
	case "Patient":
		return now.Deleted() || old.Deleted() || statementOf(old).decides() || statementOf(now).decides() || r.hasIndexTie(old) || r.hasIndexTie(now)
	}
	return false
}

// Begin puts into force what the writes of a commit deny, before the commit, and notes the identifiers of
// their Patients. End must follow.
func (r *Register) Begin(writes []store.Write) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range writes {
		w := &writes[i]
		r.count(statementOf(w.Doc), +1)
		if w.Doc.Ref.Type != "Patient" || w.Doc.Deleted() {
			continue
		}
		r.inFlight[w] = facts.NamesBorne(w.Doc)
		r.linkRelevant(r.inFlight[w], w.Doc.Ref.ID, false)
	}
}

// End puts into force the statements of a commit, or withdraws those of Begin where it failed. err is the
// outcome of the commit. needsOrder reports which writes were made in order. It returns the deleted
// Patients, for Forget.
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
			r.linkRelevant(identifiers, ref.ID, true)
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
			r.linkRelevant(identifiers, ref.ID, true)
			r.unlinkWithdrawn(identifiers, ref)
		case errors.Is(err, store.ErrUnknown):
			delete(r.forgetting, ref)
			if now.decides() {
				r.unknown[ref] = append(r.unknown[ref], now)
			}
			if len(identifiers) > 0 { // it may be stored, or may be stored later
				r.inFlight[w], r.unknownOutcome[w] = identifiers, true
			}
		default:
			r.count(now, -1)
			r.unlinkFailed(identifiers, ref.ID)
		}
	}
	return deleted
}

// dropUnknown withdraws the identifiers of commits of unknown outcome, after another version of the
// Patient was committed.
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

// Forget removes deleted Patients unless they were restored. Statements of an in-flight commit that
// restores a Patient stay until its outcome is known.
func (r *Register) Forget(deleted map[store.Ref]uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ref, version := range deleted {
		if r.forgetting[ref] != version {
			continue
		}
		delete(r.forgetting, ref)
		r.replace(ref, statement{})
		if r.patientCount[ref.ID] > 0 { // statements about the id stay in force
			r.deleted[ref.ID] = true
			continue
		}
		r.unlinkPatient(ref.ID)
	}
}

// replace replaces the statements of a document, unknown ones included.
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

// count adds a statement to the counts or removes it. Begin has counted those of a commit.
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
		case r.deleted[name] && r.patientCount[name] == 0:
			r.unlinkPatient(name)
		}
	}
}
