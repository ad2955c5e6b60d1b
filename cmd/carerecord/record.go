package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/consent/reindex"
	"carerecord/fhir/index"
	"carerecord/fhir/rest"
	"carerecord/fhir/search"
	"carerecord/fhir/validate"
	"carerecord/interop/smart"
)

// settings are what a record is opened with.
type settings struct {
	place     place
	publicURL string
	keysDir   string
	policyDir string
	demo      bool
	unguarded bool
	anyKeying bool          // open a store that is keyed by other rules: reindex
	trailed   bool          // keep a trail under --auth off as well: the bench
	atOnce    bool          // do not wait whether the process that holds the record lives
	lease     time.Duration // life of the lease of a MongoDB record; zero is leaseLife
	log       *slog.Logger

	validation validate.Mode // of bodies
	strict     bool          // handling=strict where a request names no handling
	limits     *limits       // nil for those of the requirements
	origins    []string      // of pages that may call
	integrity  bool          // of references
	words      *bool         // whether words have keys; nil is as the store is keyed

	watch   rest.Middleware     // around each request; nil is none
	measure func(engine) engine // around the engine; nil is none

	deciding func(context.Context) (done func()) // around decisions; nil is none
}

// record is an opened store with everything that serves it.
type record struct {
	engine engine
	held   *holding
	guard  *consent.Guard
	policy *policy.Folder
	search *search.Service
	trail  *audit.Writer // nil under --auth off
	tokens *smart.Tokens
	rest   *rest.Server
	log    *slog.Logger

	unidentified     audit.UnidentifiedLimiter // requests without a valid token
	unidentifiedRate int                       // how many of them an address may send a second; 0 is no limit

	reindexing sync.Mutex // held by the walk under way

	trailed     bool        // what an operator does goes into the trail
	restored    *restored   // nil where no backup was restored into the store; of confirm once the record is wired
	restoring   sync.Mutex  // held by confirm
	unconfirmed atomic.Bool // nobody has answered for what a restored store lacks
}

// folders fills in where keys and policy lie: beside a Pebble store, unless
// they are named.
func (s *settings) folders() error {
	if s.place.folder != "" {
		if s.keysDir == "" {
			s.keysDir = filepath.Join(s.place.folder, "keys")
		}
		if s.policyDir == "" {
			s.policyDir = filepath.Join(s.place.folder, "policy")
		}
	}
	if s.keysDir == "" || s.policyDir == "" && !s.unguarded {
		return errors.New("a MongoDB store has no folder: name one with --keys and one with --policy")
	}
	return nil
}

// openRecord opens the store and wires the parts. The folders of s are filled
// in. Nobody else may write to it until close.
func openRecord(ctx context.Context, s settings) (*record, error) {
	if s.demo {
		if err := demoPolicy(s.policyDir); err != nil {
			return nil, err
		}
	}
	k, err := loadKeys(s.keysDir, s.demo || s.unguarded)
	if err != nil {
		return nil, err
	}
	var folder *policy.Folder
	if !s.unguarded {
		if folder, err = policy.Load(s.policyDir); err != nil {
			return nil, err
		}
		if folder.Agreement.Relationship == policy.RelationshipAssumed && !s.demo {
			return nil, errors.New("the agreement assumes every relationship: that is accepted with --demo only")
		}
	}
	r, err := openHeld(ctx, s)
	if err != nil {
		return nil, err
	}
	r.policy = folder
	if s.measure != nil {
		r.engine = s.measure(r.engine)
	}
	if err := r.wire(ctx, s, k); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// close gives the record back.
func (r *record) close() error {
	r.held.release()
	return r.engine.Close()
}

// wire makes the parts over an opened engine.
func (r *record) wire(ctx context.Context, s settings, k keys) error {
	var err error
	if r.restored, err = restoredOf(ctx, r.engine); err != nil {
		return err
	}
	r.unconfirmed.Store(r.restored != nil && r.restored.State != restoreConfirmed)
	r.trailed = !s.unguarded || s.trailed
	base := s.publicURL + "/fhir"
	words, err := reindex.WordsIndexed(ctx, r.engine)
	if err != nil {
		return err
	}
	if s.words != nil {
		words = *s.words
	}
	x, err := index.New(index.Config{Base: base, Clock: time.Now, IndexWords: words})
	if err != nil {
		return err
	}
	r.guard, err = consent.Open(ctx, consent.Config{Store: r.engine, State: r.engine, Index: x, Policy: r.policy, Clock: time.Now, PublicURL: s.publicURL, Integrity: s.integrity, Unguarded: s.unguarded, TraceStep: s.deciding})
	if err != nil {
		return err
	}
	if err := reindex.New(r.guard, r.engine, time.Now).CheckKeyFormat(ctx); err != nil && !(s.anyKeying && errors.Is(err, reindex.ErrKeyFormat)) {
		if errors.Is(err, reindex.ErrKeyFormat) {
			err = fmt.Errorf("%w: key them anew first, with carerecord reindex --store %s and the flags of this command that it has too", err, redact(s.place.address))
		}
		return err
	}
	lim := defaultLimits()
	if s.limits != nil {
		lim = *s.limits
	}
	sealer, err := search.NewTokenSealer(k.page, lim.pageLife, time.Now, r.engine)
	if err != nil {
		return err
	}
	verify := rest.Verifier(func(context.Context, http.Header, string) (consent.Principal, error) {
		return consent.Principal{Kind: consent.System}, nil
	})
	switch {
	case s.trailed:
		r.trail, err = audit.New(r.engine, k.audit, time.Second)
	case s.unguarded:
		err = r.refuseTrail(ctx)
	default:
		r.trail, err = audit.New(r.engine, k.audit, time.Second)
		r.tokens = smart.New(smart.Config{State: r.engine, Policy: r.policy, PatientByNHS: r.guard.PatientByNHS, Clock: time.Now})
		verify = r.tokens.Verify
	}
	if err != nil {
		return err
	}
	r.unidentifiedRate = lim.rest.UnidentifiedRate
	r.search = &search.Service{Base: base, Index: x, Sealer: sealer, Limits: lim.search}
	r.rest, err = rest.New(rest.Config{Base: base, Guard: r.guard, Index: x, Search: r.search,
		Verify: verify, Audit: r.trail, Unidentified: &r.unidentified, Closed: r.closed, Limits: lim.rest, Origins: s.origins, Clock: time.Now, Log: s.log,
		Unguarded: s.unguarded, Version: version, Validation: s.validation, Strict: s.strict, Middleware: s.watch})
	return err
}

// refuseTrail: a store with a trail is never served without one (AUD-101).
func (r *record) refuseTrail(ctx context.Context) error {
	head, err := r.engine.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the trail's head: %w", err)
	}
	if head.Pos > 0 {
		return errors.New("this store has a trail: it is not served with --auth off")
	}
	return nil
}

// feedOf is the Principal of the feed of an organisation, for load with
// --store.
func (r *record) feedOf(source string) (consent.Principal, error) {
	if r.policy == nil {
		return consent.Principal{Kind: consent.System, Organisation: source}, nil
	}
	for _, c := range r.policy.Clients {
		if c.Organisation == source && c.Flow == consent.FlowIngest {
			scopes, err := consent.ParseScopes(c.Scopes, func(string) bool { return true })
			scopes = append(scopes, consent.Operations()) // whoever has the store operates the record
			return consent.Principal{Kind: consent.SourceSystem, Subject: c.ID, Organisation: source, Purpose: "TREAT", Client: c.ID,
				ClientClass: c.Kind, ClientPurposes: c.Purposes, Scopes: scopes, Flow: c.Flow, IDPrefix: c.IDPrefix, Address: "local", At: time.Now()}, err
		}
	}
	return consent.Principal{}, fmt.Errorf("no client of the policy is the feed of %q", source)
}
