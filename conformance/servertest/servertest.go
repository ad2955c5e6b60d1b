// Package servertest opens the FHIR server that tests send requests to, over any store.
package servertest

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/rest"
	"carerecord/fhir/search"
	"carerecord/store"
	"carerecord/store/storetest"
)

// URL is the public URL of the servers, unless their Config has another one, and Base their FHIR base.
const (
	URL  = "http://record.test"
	Base = URL + "/fhir"
)

// Config describes a server. All fields except Store may be zero.
type Config struct {
	Store store.Store
	Index *index.Indexer // nil is one without an index of words
	URL   string         // public URL; empty is URL
	Clock func() time.Time
	State store.State // for long page tokens; nil is one in memory

	// Policy guards the server. Without one everybody may do everything.
	Policy *policy.Folder
	// Audit is the log for an audit trail; nil is no audit trail. AuditTimeout is how long an append
	// may take; zero is a second.
	Audit        store.Log
	AuditTimeout time.Duration
	// Callers are principals by their tokens. Requests with another token, or with none, are refused
	// with 401. Nil makes every requester a System.
	Callers map[string]consent.Principal

	Guard func(*consent.Config) // changes the settings of the guard
	REST  func(*rest.Config)    // changes the settings of the server
}

// Server is an opened server and its parts.
type Server struct {
	*rest.Server
	Guard  *consent.Guard
	Search *search.Service
	Audit  *audit.Writer // nil without an audit trail
}

// Open opens a server. The test fails if that fails.
func Open(tb testing.TB, cfg Config) *Server {
	tb.Helper()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.URL == "" {
		cfg.URL = URL
	}
	base := cfg.URL + "/fhir"
	if cfg.State == nil {
		cfg.State = storetest.NewReference(cfg.Clock)
	}
	if cfg.AuditTimeout == 0 {
		cfg.AuditTimeout = time.Second
	}
	var err error
	if cfg.Index == nil {
		cfg.Index, err = index.New(index.Config{Base: base, Clock: cfg.Clock})
		must(err)
	}
	s := &Server{}
	guard := consent.Config{Store: cfg.Store, Index: cfg.Index, Policy: cfg.Policy, Clock: cfg.Clock, PublicURL: cfg.URL, Unguarded: cfg.Policy == nil}
	if cfg.Guard != nil {
		cfg.Guard(&guard)
	}
	s.Guard, err = consent.Open(context.Background(), guard)
	must(err)
	key := make([]byte, 32)
	if cfg.Audit != nil {
		s.Audit, err = audit.New(cfg.Audit, key, cfg.AuditTimeout)
		must(err)
	}
	sealer, err := search.NewTokenSealer(key, time.Hour, cfg.Clock, cfg.State)
	must(err)
	s.Search = &search.Service{Base: base, Index: cfg.Index, Sealer: sealer, Limits: search.DefaultLimits()}
	server := rest.Config{Base: base, Guard: s.Guard, Index: cfg.Index, Search: s.Search, Audit: s.Audit, Limits: rest.DefaultLimits(), Clock: cfg.Clock,
		Unguarded: guard.Unguarded, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Verify: verifier(cfg.Callers)}
	if cfg.REST != nil {
		cfg.REST(&server)
	}
	s.Server = rest.New(server)
	return s
}

func verifier(callers map[string]consent.Principal) rest.Verifier {
	return func(_ context.Context, h http.Header, _ string) (consent.Principal, error) {
		if callers == nil {
			return consent.Principal{Kind: consent.System, Subject: "all"}, nil
		}
		p, ok := callers[strings.TrimPrefix(h.Get("Authorization"), "Bearer ")]
		if !ok || len(h.Values("Authorization")) > 1 {
			return consent.Principal{}, fhir.Fault(http.StatusUnauthorized, "login", "The token is not known.")
		}
		return p, nil
	}
}

// Policy returns a policy whose agreement the organisations have signed, and whose source systems trace NHS
// numbers. With assumed, every legitimate relationship is assumed.
func Policy(assumed bool, organisations ...string) *policy.Folder {
	f := &policy.Folder{Agreement: policy.Agreement{Organisations: organisations}, Identity: policy.DefaultIdentity(organisations...)}
	if assumed {
		f.Agreement.Relationship = policy.RelationshipAssumed
	}
	return f
}

// Scopes parses scopes.
func Scopes(tb testing.TB, text string) consent.Scopes {
	tb.Helper()
	scopes, err := consent.ParseScopes(text, func(string) bool { return true })
	if err != nil {
		tb.Fatal(err)
	}
	return scopes
}

// SourceSystem returns the source system of an organisation, with the id prefix of its code.
func SourceSystem(tb testing.TB, organisation string) consent.Principal {
	tb.Helper()
	return consent.Principal{Kind: consent.SourceSystem, Subject: "feed", Organisation: organisation, Purpose: "TREAT", ClientPurposes: []string{"TREAT"},
		Flow: consent.FlowIngest, IDPrefix: strings.ToLower(organisation) + ".", Scopes: Scopes(tb, "system/*.cruds")}
}
