package consent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"

	"carerecord/fhir/index"
	"carerecord/store"
)

// register says who has a directive or a restriction, in memory: the authority on
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
type register struct {
	// commits is held over every commit that says something new to the register.
	commits *semaphore.Weighted

	mu sync.RWMutex
	// by document: what it says now.
	docs map[store.Ref]entry
	// by document: what commits of unknown outcome would have it say. It is in force
	// beside what docs has, until another version of the document is committed.
	doubtful map[store.Ref][]entry
	// by name: how many documents say so.
	optOut, directive, restricted map[string]int
	// by name of an identifier: how many Consents name it, whatever they say.
	named map[string]int
	// by id of a Patient: how many documents say something of the Patient by the id.
	spoken map[string]int
	// bearers are the Patients that bear or bore an identifier, by its name, where a Consent
	// names the identifier or something is said of the Patient by the id; bears is the
	// reverse. The value is whether that is committed.
	bearers, bears map[string]map[string]bool
	// ended are the deleted Patients among these: of whom something is said by the id.
	ended map[string]bool
	// coming are the identifiers of Patients that commits under way write.
	coming map[*store.Write][]string
	// unsure are those of them whose outcome is unknown, until another version of the
	// Patient is committed.
	unsure map[*store.Write]bool
	// leaving are the Patients that were deleted, by the version that did it. What is in
	// docs and bears of them stays until nobody reads any more whose snapshot may be from
	// before: there their documents are still found by their ids.
	leaving map[store.Ref]uint64
}

// entry is what one document says of whom.
type entry struct {
	names                         []string
	optOut, directive, restricted bool
}

func newRegister() *register {
	return &register{
		commits: semaphore.NewWeighted(1),
		docs:    map[store.Ref]entry{}, doubtful: map[store.Ref][]entry{},
		optOut: map[string]int{}, directive: map[string]int{}, restricted: map[string]int{}, named: map[string]int{}, spoken: map[string]int{}, ended: map[string]bool{},
		bearers: map[string]map[string]bool{}, bears: map[string]map[string]bool{},
		coming: map[*store.Write][]string{}, unsure: map[*store.Write]bool{}, leaving: map[store.Ref]uint64{},
	}
}

// load reads all directives and restrictions of the store.
func (r *register) load(ctx context.Context, s store.Store) error {
	err := s.Read(ctx, func(snap store.Snap) error {
		for _, q := range []store.Query{
			{Type: "Consent", Where: fact(factOptOut), KeysOnly: true},
			{Type: "Consent", Where: fact(factDirective), KeysOnly: true},
			{Type: "Patient", Where: fact(factRestricted), KeysOnly: true},
		} {
			for d, err := range snap.Scan(ctx, q) {
				if err != nil {
					return fmt.Errorf("load directives: %w", err)
				}
				r.take(d)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.meet(ctx, s, slices.Collect(maps.Keys(r.named)), slices.Collect(maps.Keys(r.spoken)))
}

// take puts a committed document into force that was not expected.
func (r *register) take(d store.Doc) {
	writes := []store.Write{{Doc: d}}
	r.expect(writes)
	r.over(writes, func(*store.Write) bool { return true }, nil) // of what is live: nobody leaves
}

// read says what a document says of its patients.
func read(d store.Doc) entry {
	switch {
	case d.Ref.Type == "Consent" && !d.Deleted():
		return entry{
			names:     names(d.Keys, index.CoversPrefix()),
			optOut:    store.Match(fact(factOptOut), d.Keys),
			directive: store.Match(fact(factDirective), d.Keys),
		}
	case d.Ref.Type == "Patient" && !d.Deleted():
		return entry{names: []string{d.Ref.ID}, restricted: store.Match(fact(factRestricted), d.Keys)}
	}
	return entry{}
}

func (e entry) speaks() bool { return e.optOut || e.directive || e.restricted }

// tells reports whether the register depends on the order of a write and others of the
// same document. Such a commit runs under commits: every one of a Consent, and of a
// Patient one that sets or ends a restriction, deletes the Patient or brings it back.
func (r *register) tells(old, now store.Doc) bool {
	switch now.Ref.Type {
	case "Consent":
		return true
	case "Patient":
		return now.Deleted() || old.Deleted() || read(old).speaks() || read(now).speaks()
	}
	return false
}

// expect puts into force what the writes of a commit deny, before it is made, and
// notes which Patients they bring. over has to follow.
func (r *register) expect(writes []store.Write) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range writes {
		w := &writes[i]
		r.count(read(w.Doc), +1)
		if w.Doc.Ref.Type != "Patient" || w.Doc.Deleted() {
			continue
		}
		if bears := names(w.Doc.Keys, index.BearsPrefix()); len(bears) > 0 {
			r.coming[w] = bears
			r.joinNamed(bears, w.Doc.Ref.ID, false)
		}
	}
}

// over puts into force what the writes of a commit say, all at once, or takes back
// what expect did where the commit failed. err is the outcome of the commit. tells says
// which writes were made in order. left are the deleted Patients, for forget.
func (r *register) over(writes []store.Write, tells func(*store.Write) bool, err error) (left map[store.Ref]uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range writes {
		w := &writes[i]
		ref, now := w.Doc.Ref, read(w.Doc)
		bears := r.coming[w]
		delete(r.coming, w)
		if err == nil {
			defer r.sure(ref)
		}
		switch {
		case err == nil && !tells(w):
			r.joinNamed(bears, ref.ID, true)
		case err == nil && ref.Type == "Patient" && w.Doc.Deleted():
			if left == nil {
				left = map[store.Ref]uint64{}
			}
			left[ref], r.leaving[ref] = w.Doc.Version, w.Doc.Version
		case err == nil:
			delete(r.leaving, ref)
			if ref.Type == "Patient" {
				delete(r.ended, ref.ID)
			}
			r.said(ref, now)
			//law:register-said
			r.joinNamed(bears, ref.ID, true)
		case errors.Is(err, store.ErrUnknown):
			delete(r.leaving, ref)
			if now.speaks() {
				r.doubtful[ref] = append(r.doubtful[ref], now)
			}
			if len(bears) > 0 { // it may be there, or come yet
				r.coming[w], r.unsure[w] = bears, true
			}
		default:
			r.count(now, -1)
			r.part(bears, ref.ID)
		}
	}
	return left
}

// sure ends what was kept of commits of unknown outcome, where another version of the
// Patient was committed since.
func (r *register) sure(ref store.Ref) {
	for w := range r.unsure {
		if w.Doc.Ref != ref {
			continue
		}
		bears := r.coming[w]
		delete(r.coming, w)
		delete(r.unsure, w)
		r.part(bears, ref.ID)
	}
}

// forget takes deleted Patients out, unless they have come back. What a commit under way
// brings back stays until its outcome is known.
func (r *register) forget(left map[store.Ref]uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ref, version := range left {
		if r.leaving[ref] != version {
			continue
		}
		delete(r.leaving, ref)
		r.said(ref, entry{})
		if r.spoken[ref.ID] > 0 { // what is said of the Patient by the id stays in force
			r.ended[ref.ID] = true
			continue
		}
		bears := slices.Collect(maps.Keys(r.bears[ref.ID]))
		for _, name := range bears {
			r.bearers[name][ref.ID], r.bears[ref.ID][name] = false, false // not committed any more
		}
		r.part(bears, ref.ID)
	}
}

// said puts what a document says now in the place of what it said and may have said.
func (r *register) said(ref store.Ref, now entry) {
	r.count(r.docs[ref], -1)
	for _, e := range r.doubtful[ref] {
		r.count(e, -1)
	}
	delete(r.doubtful, ref)
	if delete(r.docs, ref); now.speaks() {
		r.docs[ref] = now
	}
}

// count takes an entry in or out. What is committed was expected: expect counted it.
func (r *register) count(e entry, by int) {
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
		add(r.named, name, e.speaks() && ofIdentifier(name))
		add(r.spoken, name, e.speaks() && !ofIdentifier(name))
		switch {
		case by > 0:
		case ofIdentifier(name) && r.named[name] == 0:
			r.leave(name)
		case !ofIdentifier(name) && r.spoken[name] == 0:
			r.leavePatient(name)
		}
	}
}

// ofIdentifier reports whether a name is not the id of a Patient.
func ofIdentifier(name string) bool { return strings.ContainsRune(name, ':') }

// newNames are the identifiers, and the ids of Patients, that Consents among some writes
// name which say something.
func (r *register) newNames(writes []store.Write) (identifiers, patients []string) {
	for _, w := range writes {
		says := read(w.Doc)
		if w.Doc.Ref.Type != "Consent" || !says.speaks() {
			continue
		}
		for _, name := range says.names {
			if ofIdentifier(name) {
				identifiers = append(identifiers, name)
			} else {
				patients = append(patients, name)
			}
		}
	}
	return identifiers, patients
}

// meet finds the Patients that bear identifiers, and what some Patients bear or bore.
// Patients that are written meanwhile join by themselves.
func (r *register) meet(ctx context.Context, s store.Store, identifiers, patients []string) error {
	if len(identifiers)+len(patients) == 0 {
		return nil
	}
	err := s.Read(ctx, func(snap store.Snap) error {
		for _, name := range identifiers {
			for d, err := range snap.Scan(ctx, store.Query{Type: "Patient", Where: store.Eq{Key: index.BearsKey(name)}, KeysOnly: true}) {
				if err != nil {
					return err
				}
				r.mu.Lock()
				r.join(name, d.Ref.ID, true)
				r.mu.Unlock()
			}
		}
		for _, id := range patients {
			d, err := snap.Get(ctx, store.Ref{Type: "Patient", ID: id})
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			r.mu.Lock()
			for _, name := range names(d.Keys, index.BearsPrefix()) {
				r.join(name, id, true)
			}
			if d.Deleted() {
				r.ended[id] = true
			}
			r.mu.Unlock()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for whom a directive covers: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for w, bears := range r.coming {
		for _, name := range bears {
			if slices.Contains(identifiers, name) || slices.Contains(patients, w.Doc.Ref.ID) {
				r.join(name, w.Doc.Ref.ID, false)
			}
		}
	}
	return nil
}

// joinNamed notes which of the identifiers that a Patient bears are named by a
// Consent, and all where something is said of the Patient by the id. mu must be held, here
// and below.
func (r *register) joinNamed(bears []string, patient string, committed bool) {
	for _, name := range bears {
		if r.named[name] > 0 || r.spoken[patient] > 0 {
			r.join(name, patient, committed)
		}
	}
}

func (r *register) join(name, patient string, committed bool) {
	if r.bearers[name] == nil {
		r.bearers[name] = map[string]bool{}
	}
	if r.bears[patient] == nil {
		r.bears[patient] = map[string]bool{}
	}
	committed = committed || r.bearers[name][patient]
	r.bearers[name][patient], r.bears[patient][name] = committed, committed
}

// part takes back what a commit that failed would have made a Patient bear, unless
// another one did or may.
func (r *register) part(bears []string, patient string) {
	for _, name := range bears {
		committed, joined := r.bearers[name][patient]
		for w, coming := range r.coming {
			committed = committed || w.Doc.Ref.ID == patient && slices.Contains(coming, name)
		}
		if joined && !committed {
			r.unjoin(name, patient)
		}
	}
}

func (r *register) unjoin(name, patient string) {
	if delete(r.bearers[name], patient); len(r.bearers[name]) == 0 {
		delete(r.bearers, name)
	}
	if delete(r.bears[patient], name); len(r.bears[patient]) == 0 {
		delete(r.bears, patient)
	}
}

// leave forgets who bears an identifier that no Consent names any more.
func (r *register) leave(name string) {
	for patient := range r.bearers[name] {
		if r.spoken[patient] == 0 {
			r.unjoin(name, patient)
		}
	}
}

// leavePatient forgets what a Patient bears of whom nothing is said by the id any more, as
// far as no Consent names it.
func (r *register) leavePatient(patient string) {
	for name := range r.bears[patient] {
		if r.named[name] == 0 || r.ended[patient] {
			r.unjoin(name, patient)
		}
	}
	delete(r.ended, patient)
}

// covered reports what is in force for a name, at one instant.
func (r *register) covered(name string) (c entry) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	add := func(name string) {
		c.optOut = c.optOut || r.optOut[name] > 0
		c.directive = c.directive || r.directive[name] > 0
		c.restricted = c.restricted || r.restricted[name] > 0
	}
	add(name)
	//law:bearers-covered
	for of := range r.bears[name] {
		add(of)
	}
	for patient := range r.bearers[name] { // it may mean that one, whoever else bears it by now
		add(patient)
	}
	return c
}

// observed is the register as one request sees it. A directive may change its kind between
// two questions of a request, so that none of the kinds is in force when it is asked for
// it: whoever was found in one set stays as found. It is for the goroutine of the request.
type observed struct {
	*register
	known map[string]entry // of those for whom something is in force
}

func (r *register) observed() *observed { return &observed{r, map[string]entry{}} }

func (d *observed) of(name string) entry {
	if c, met := d.known[name]; met {
		return c
	}
	c := d.covered(name)
	if c.speaks() {
		d.known[name] = c
	}
	return c
}

// sets are the three sets, for predicates and decisions.
func (d *observed) sets() sets {
	return sets{
		optedOut:   ids(func(name string) bool { return d.of(name).optOut }),
		denied:     ids(func(name string) bool { return d.of(name).directive }),
		restricted: ids(func(name string) bool { return d.of(name).restricted }),
	}
}

// patients are the ids of those of whom something may be in force, now, by the id or by
// an identifier; each once.
func (r *register) patients() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := map[string]bool{}
	for name := range r.spoken {
		all[name] = true
	}
	for patient := range r.bears {
		all[patient] = true
	}
	return slices.Collect(maps.Keys(all))
}
