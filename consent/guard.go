package consent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carerecord/consent/aliases"
	"carerecord/consent/backlog"
	"carerecord/consent/definitions"
	"carerecord/consent/facts"
	"carerecord/consent/policy"
	"carerecord/consent/register"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/store"
)

// Config is the configuration of a Guard.
type Config struct {
	Store store.Store
	// State holds the table of defined search parameters and the backlog. nil is for a store
	// without State: both are lost when the Guard ends.
	State     store.State
	Index     *index.Indexer
	Policy    *policy.Folder // nil only with Open
	Clock     func() time.Time
	PublicURL string // address of the site, without /fhir
	// Integrity refuses writes with references to missing resources (REST-096).
	Integrity bool
	// Unguarded permits everything to everybody (--auth off).
	Unguarded bool
	// Decider decides in addition to the built-in steps; nil for none.
	Decider Decider
	// TraceStep is called when steps of a decision begin, and its result when they end. nil
	// for none.
	TraceStep func(context.Context) (done func())
}

// Guard is the access to the record: it decides, and makes Views. It is safe for concurrent
// use.
type Guard struct {
	store        store.Store
	state        store.State // nil for none
	index        *index.Indexer
	keyer        *facts.Keyer
	policy       *policy.Folder
	clock        func() time.Time
	publicURL    string
	register     *register.Register
	catalog      *typeCatalog
	decider      Decider
	traceStep    func(context.Context) (done func())
	inFlight     inFlightCommits
	integrity    bool
	definitions  *definitions.Registry
	backlog      *backlog.Backlog
	reads        *activeReads
	labelChanges *labelChanges
	aliases      *aliases.Table
}

// Open makes a Guard and reads from the store what it keeps in memory.
func Open(ctx context.Context, cfg Config) (*Guard, error) {
	if cfg.Policy == nil {
		if !cfg.Unguarded {
			return nil, errors.New("consent: a policy is required")
		}
		cfg.Policy = &policy.Folder{}
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	reading := newActiveReads()
	binaryIDs, err := cfg.Index.IDPrefix("Binary")
	if err != nil {
		return nil, fmt.Errorf("keys of Binaries: %w", err)
	}
	keyer := &facts.Keyer{Index: cfg.Index, FHIRBase: cfg.PublicURL + "/fhir", Identity: cfg.Policy.Identity}
	g := &Guard{
		store: cfg.Store, state: cfg.State, index: cfg.Index, keyer: keyer, policy: cfg.Policy, clock: cfg.Clock,
		publicURL: cfg.PublicURL, integrity: cfg.Integrity, register: register.New(keyer.Connects, keyer.IsIndexTie), aliases: aliases.New(keyer), catalog: newTypeCatalog(), backlog: backlog.New(reading.afterCurrent, binaryIDs), reads: reading, labelChanges: newLabelChanges(),
		decider: cfg.Decider, traceStep: cfg.TraceStep, definitions: definitions.New(cfg.Store, cfg.State, cfg.Index, cfg.Clock),
	}
	if g.traceStep == nil {
		g.traceStep = func(context.Context) func() { return func() {} }
	}
	if err := g.register.Load(ctx, cfg.Store); err != nil {
		return nil, err
	}
	if err := g.aliases.Load(ctx, cfg.Store); err != nil {
		return nil, err
	}
	if err := g.catalog.load(ctx, cfg.Store); err != nil {
		return nil, err
	}
	if err := g.inFlight.load(ctx, cfg.Store, r4.Resources()); err != nil {
		return nil, err
	}
	if err := g.backlog.Load(ctx, cfg.State); err != nil {
		return nil, err
	}
	return g, g.definitions.Load(ctx)
}

// Check runs the steps that read no patient. It returns a *Refusal or nil.
func (g *Guard) Check(ctx context.Context, p Principal, req Request) error {
	return g.check(ctx, &decision{guard: g, p: p, req: req})
}

func (g *Guard) check(ctx context.Context, d *decision) error {
	defer g.traceStep(ctx)()
	for _, s := range stepsBeforePatient() {
		if r := s.run(ctx, d); r != nil {
			return r
		}
	}
	return nil
}

// Read decides and calls f with a View of one snapshot. It returns a *Refusal, a *fhir.Error of
// status 503 where the store is unavailable, or the error of f. f must not keep the View.
func (g *Guard) Read(ctx context.Context, p Principal, req Request, f func(*View) error) error {
	d := &decision{guard: g, p: p, req: req}
	if err := g.check(ctx, d); err != nil {
		return err
	}
	until := g.inFlight.historyEnd(g.clock())
	if err := g.aliases.Settle(ctx, g.store); err != nil {
		return unavailable(err)
	}
	defer g.reads.begin()()
	began := g.backlog.Epoch()
	writes := req.Write || req.Interaction == Transaction
	err := g.store.Read(ctx, func(snap store.Snapshot) error {
		v, err := g.view(ctx, d, &cachedSnap{Snapshot: snap})
		if err != nil {
			return err
		}
		v.historyEnd, v.epoch = until, began
		err = f(v)
		if *v.failed != nil && !v.committed {
			return *v.failed
		}
		return err
	})
	if err != nil && writes {
		return notStored(err)
	}
	return unavailable(err)
}

// view runs the steps that read the named patient.
func (g *Guard) view(ctx context.Context, d *decision, snap *cachedSnap) (*View, error) {
	v := &View{guard: g, index: g.index, snap: snap, failed: new(error), labelled: g.keyer.LabelledRows(snap, nil), persons: personCache{}, groups: map[string][]string{}}
	if !d.req.Write && d.req.Permission != 0 {
		v.permissions = string(rune(d.req.Permission))
	}
	sets := g.register.Observe().Sets()
	v.grant = &Grant{principal: &d.p, sets: sets, stale: g.backlog.Stale(), failed: v.failed,
		hidden: g.newHiddenPatients(ctx, snap, sets, d.p.Organisation, v.failed)}
	v.grant.refersToLabelled = refersToLabelled(v.grant.stale)
	v.grant.readsFHIRUser = d.readsFHIRUser()
	defer g.traceStep(ctx)()
	d.snap, d.grant, d.err = snap, v.grant, nil // the store may call the function again
	for _, s := range stepsOnPatient() {
		r := s.run(ctx, d)
		if d.err != nil {
			return nil, d.err
		}
		if *v.failed != nil {
			return nil, *v.failed
		}
		if r != nil {
			return nil, r
		}
	}
	return v, nil
}

// Ready returns nil if the store answers.
func (g *Guard) Ready(ctx context.Context) error {
	return g.store.Read(ctx, func(snap store.Snapshot) error {
		_, err := snap.Get(ctx, store.Ref{Type: "Patient", ID: "nobody"})
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
}

// ResolveNamed returns the id of a live Patient of the one person who is named, or "", also where the store is
// unavailable. It is for the audit trail, which records the patient of a request whatever was
// decided (AUD-303); its answer must not reach a client.
func (g *Guard) ResolveNamed(ctx context.Context, n NamedPatient) string {
	if err := g.aliases.Settle(ctx, g.store); err != nil {
		return ""
	}
	var id string
	if err := g.store.Read(ctx, func(snap store.Snapshot) error {
		named, err := g.findNamed(ctx, snap, n, func(store.Doc) bool { return false }, func(store.Doc) bool { return false })
		id = named.id
		return err
	}); err != nil {
		return ""
	}
	return id
}
