package consent

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"carerecord/fhir/index"
	"carerecord/store"
)

// register is the set of patients with directives or a restriction, in memory:
// the authority on them (CON-1603). It is filled at start from the store and
// changed by every commit before that commit is acknowledged, so that what was
// acknowledged governs the next request. It is safe for concurrent use.
type register struct {
	// commits is held over every commit that says something new to the
	// register, so that what it hears is in the order of the store.
	commits sync.Mutex

	mu sync.RWMutex
	// by document: what it says now.
	docs map[store.Ref]entry
	// by patient: how many documents say so.
	optOut, directive, restricted map[string]int
}

type entry struct {
	patients                      []string
	optOut, directive, restricted bool
}

func newRegister() *register {
	return &register{
		docs:   map[store.Ref]entry{},
		optOut: map[string]int{}, directive: map[string]int{}, restricted: map[string]int{},
	}
}

// load reads all directives and restrictions of the store.
func (r *register) load(ctx context.Context, s store.Store) error {
	return s.Read(ctx, func(snap store.Snap) error {
		for _, q := range []store.Query{
			{Type: "Consent", Where: fact(factOptOut), KeysOnly: true},
			{Type: "Consent", Where: fact(factDirective), KeysOnly: true},
			{Type: "Patient", Where: fact(factRestricted), KeysOnly: true},
		} {
			for d, err := range snap.Scan(ctx, q) {
				if err != nil {
					return fmt.Errorf("load directives: %w", err)
				}
				r.apply(d)
			}
		}
		return nil
	})
}

// tells reports whether a document, or its older self, says anything here. Such
// a commit runs under commits.
func (r *register) tells(old, now store.Doc) bool {
	return read(old).speaks() || read(now).speaks()
}

// read says what a document says of its patients.
func read(d store.Doc) entry {
	if d.Dead() || d.Ref.Type != "Consent" && d.Ref.Type != "Patient" {
		return entry{}
	}
	return entry{
		patients:   subjects(d.Keys),
		optOut:     store.Match(fact(factOptOut), d.Keys),
		directive:  store.Match(fact(factDirective), d.Keys),
		restricted: store.Match(fact(factRestricted), d.Keys),
	}
}

func (e entry) speaks() bool { return e.optOut || e.directive || e.restricted }

// apply takes in the newest version of a document.
func (r *register) apply(d store.Doc) {
	now := read(d)
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.docs[d.Ref]
	r.count(old, -1)
	r.count(now, +1)
	if now.speaks() {
		r.docs[d.Ref] = now
	} else {
		delete(r.docs, d.Ref)
	}
}

// subjects are the owners of a directive, those who are not there yet included:
// a wish recorded before its patient arrives holds from the first moment.
func subjects(keys []store.Key) []string {
	out := ownersOf(keys)
	for _, name := range names(keys, index.WantsPrefix()) {
		if id, ok := strings.CutPrefix(name, "Patient/"); ok {
			out = append(out, id)
		}
	}
	return out
}

func (r *register) count(e entry, by int) {
	add := func(m map[string]int, holds bool) {
		if !holds {
			return
		}
		for _, p := range e.patients {
			if m[p] += by; m[p] == 0 {
				delete(m, p)
			}
		}
	}
	add(r.optOut, e.optOut)
	add(r.directive, e.directive)
	add(r.restricted, e.restricted)
}

// The three sets, for predicates and decisions.
func (r *register) optedOut() store.Set     { return members{r, r.optOut} }
func (r *register) denied() store.Set       { return members{r, r.directive} }
func (r *register) restrictedTo() store.Set { return members{r, r.restricted} }

// members is one of the register's sets.
type members struct {
	r *register
	m map[string]int
}

// Has reports membership now.
func (s members) Has(patient string) bool {
	s.r.mu.RLock()
	defer s.r.mu.RUnlock()
	return s.m[patient] > 0
}

// patients are those in any of the sets, now.
func (r *register) patients() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]string, 0, len(r.optOut)+len(r.directive)+len(r.restricted))
	for _, m := range []map[string]int{r.optOut, r.directive, r.restricted} {
		for p := range m {
			out = append(out, p)
		}
	}
	return out
}
