package atonce

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/store"
	"carerecord/store/storetest"
)

const site = "http://record.test"

// indexer is the index of every round: to make one costs more than a round.
var indexer = sync.OnceValues(func() (*index.Indexer, error) { return index.New(index.Config{Base: site + "/fhir"}) })

// checkedEngine is an engine that can compare its memory with a rebuild.
type checkedEngine interface {
	CheckMemory(context.Context) error
	Verify(context.Context) error
}

// yieldingEngine is an engine whose commits let other goroutines run before and after them, and wake the
// readers.
type yieldingEngine struct {
	storetest.Engine
	calls   atomic.Uint64
	readers []chan struct{} // each holds one element
}

func (u *yieldingEngine) yield() {
	for _, r := range u.readers {
		select {
		case r <- struct{}{}:
		default: // it is to look already
		}
	}
	for range u.calls.Add(1) * 7 % 11 {
		runtime.Gosched()
	}
}

// Commit implements store.Store.
func (u *yieldingEngine) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	u.yield()
	defer u.yield()
	return u.Engine.Commit(ctx, b)
}

// world is a record with its guard and the model of it.
type world struct {
	testing.TB
	name   string // of the round, for reports
	db     *yieldingEngine
	guard  *consent.Guard
	model  *model
	failed atomic.Bool

	reads, looked, writes, refused, conflicts atomic.Int64
}

// organisations are those whose staff read: two with a source system, and one without.
var organisations = []string{"A", "G", "X"}

// patientIndex is the organisation whose source system is the patient index.
const patientIndex = "I"

func begin(t testing.TB, name string, db storetest.Engine) *world {
	w := &world{TB: t, name: name, db: &yieldingEngine{Engine: db}, model: newModel()}
	for range organisations {
		w.db.readers = append(w.db.readers, make(chan struct{}, 1))
	}
	w.guard = w.open()
	return w
}

// open makes a guard, as a server does that is started.
func (w *world) open() *consent.Guard {
	w.Helper()
	x, err := indexer()
	if err != nil {
		w.Fatal(err)
	}
	identity := policy.DefaultIdentity(organisations...)
	identity.Index = patientIndex
	g, err := consent.Open(context.Background(), consent.Config{Store: w.db, State: w.db, Index: x, PublicURL: site,
		Policy: &policy.Folder{Agreement: policy.Agreement{Organisations: organisations, Relationship: policy.RelationshipAssumed}, Identity: identity}})
	if err != nil {
		w.Fatal(err)
	}
	return g
}

// report reports a failure of a round.
func (w *world) report(format string, args ...any) {
	w.failed.Store(true)
	w.Errorf(w.name+": "+format, args...)
}

func scopes(text string) consent.Scopes {
	s, err := consent.ParseScopes(text, r4.IsResource)
	if err != nil {
		panic(err)
	}
	return s
}

func feed(ods string) consent.Principal {
	return consent.Principal{Kind: consent.SourceSystem, Subject: "feed-" + ods, Organisation: ods, Purpose: "TREAT", ClientPurposes: []string{"TREAT"},
		Flow: consent.FlowIngest, IDPrefix: ods + ".", Scopes: scopes("system/*.cruds")}
}

func staff(ods string, activities ...string) consent.Principal {
	return consent.Principal{Kind: consent.Staff, Subject: "person-" + ods, Organisation: ods, Role: "role", Activities: append(activities, policy.ActivityRead),
		Purpose: "TREAT", ClientPurposes: []string{"TREAT"}, Scopes: scopes("user/*.cruds")}
}

func patient(id string) consent.Principal {
	return consent.Principal{Kind: consent.Patient, Subject: "patient-" + id, Patient: id, Purpose: "PATRQT", ClientPurposes: []string{"PATRQT"}, Scopes: scopes("patient/*.cruds")}
}

// attempts is how often a write that loses a race is tried again, as package rest does.
const attempts = 100

// apply performs a step, and records it in the model.
func (w *world) apply(s step) {
	var changes []consent.Change
	var notes []*written
	steps := []step{s}
	if s.with != nil {
		steps = append(steps, *s.with)
	}
	for _, s := range steps {
		ch := consent.Change{Kind: consent.ChangeDelete, Ref: s.ref}
		if !s.content.dead {
			ch.Kind, ch.Body = consent.ChangeUpdate, []byte(body(s.ref, s.content, w.model.number(s.content)))
		}
		if s.create {
			ch.Kind = consent.ChangeCreate
		}
		changes, notes = append(changes, ch), append(notes, w.model.begin(s.ref, s.content))
	}
	results, err := w.commit(s.by, changes)
	w.writes.Add(1)
	for i, s := range steps {
		if err == nil && results[i].Written {
			w.model.acknowledge(notes[i], results[i].Doc.Version)
		} else {
			w.model.void(s.ref, notes[i])
		}
	}
	if err == nil {
		return
	}
	w.refused.Add(1)
	e, ours := fhir.AsError(err)
	if _, refusal := consent.AsRefusal(err); !errors.Is(err, store.ErrNotFound) && !refusal && (!ours || e.Status >= 500) {
		w.report("%s of %v: %v", s.ref, s.by.Kind, err)
	}
}

// commit makes changes, and tries again while it loses races.
func (w *world) commit(by consent.Principal, changes []consent.Change) (results []consent.Result, err error) {
	req := consent.Request{Interaction: consent.Update, Type: changes[0].Ref.Type, Permission: consent.PermitUpdate, Write: true}
	switch changes[0].Kind {
	case consent.ChangeCreate:
		req.Interaction, req.Permission = consent.Create, consent.PermitCreate
	case consent.ChangeDelete:
		req.Interaction, req.Permission = consent.Delete, consent.PermitDelete
	}
	for try := 0; ; try++ {
		err = w.guard.Read(context.Background(), by, req, func(v *consent.View) error {
			var err error
			results, err = v.Commit(context.Background(), changes, nil)
			return err
		})
		if !errors.Is(err, store.ErrConflict) || try == attempts {
			return results, err
		}
		w.conflicts.Add(1)
		runtime.Gosched()
	}
}

// readTypes are the types that readers search.
var readTypes = []string{"Observation", "List", "Group", "Appointment", "Provenance", "Binary", "DocumentReference", "Schedule", "Slot", "Patient"}

// readAll reads everything as staff of an organisation, in one snapshot, and compares it with the model.
func (w *world) readAll(g *consent.Guard, ods string) (found []string) {
	var all []seen
	from := w.model.now()
	behind, _ := g.Backlog()
	err := g.Read(context.Background(), staff(ods), consent.Request{Interaction: consent.Search, Type: "Observation", Permission: consent.PermitSearch}, func(v *consent.View) error {
		for _, typ := range readTypes {
			for d, err := range v.Scan(context.Background(), store.Query{Type: typ, Where: store.And{}}) {
				if err != nil {
					return err
				}
				n, err := strconv.Atoi(gjson.GetBytes(d.Body, "language").Str[1:])
				if err != nil {
					return fmt.Errorf("a body without its number: %s", d.Body)
				}
				all = append(all, seen{ref: d.Ref, content: w.model.numbered(n), source: d.Source, organisation: ods, from: from, settled: behind == 0})
			}
		}
		return nil
	})
	to := w.model.now()
	w.reads.Add(1)
	if err != nil {
		w.report("a search by staff of %s: %v", ods, err)
	}
	for _, s := range all {
		s.to = to
		w.looked.Add(1)
		found = append(found, s.ref.String())
		if why := w.model.violation(s); why != "" {
			w.report("staff of %s see %s of %s %s at instants %d to %d, settled %v: %s%s", ods, s.ref, s.source, s.content, from, to, s.settled, why, w.model.people(s.content.through...))
		}
	}
	return found
}

// paused is how long nothing has to happen in a round that hangs.
const paused = time.Minute
