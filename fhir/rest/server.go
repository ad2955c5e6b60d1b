package rest

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"carerecord/conformance/capability"
	"carerecord/conformance/validate"
	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir/cors"
	"carerecord/fhir/index"
	"carerecord/fhir/search"
)

// Limits are the settings of LIM-001 for this package. Sizes are in bytes.
type Limits struct {
	Resource, Bundle, Form int64
	Entries, URL           int
	// Requests is how many requests may be in flight, ClientRequests how many of one client, and
	// ClientRate how many a client may begin in a second. 0 is no limit.
	Requests, ClientRequests, ClientRate int
	// UnidentifiedRate is how many requests without a valid token an address may send in a second; 0
	// is no limit.
	UnidentifiedRate int
	// NeedIfMatch are types whose updates need If-Match; NoDelete are types that cannot be deleted
	// (REST-048, 184).
	NeedIfMatch, NoDelete []string
	// ConditionalDelete is how many matches a conditional delete may delete; 0 refuses more than one
	// match.
	ConditionalDelete        int
	Deadline, BundleDeadline time.Duration
}

// DefaultLimits returns the defaults of the requirements.
func DefaultLimits() Limits {
	return Limits{Resource: 10 << 20, Bundle: 256 << 20, Form: 1 << 20, Entries: 50_000, URL: 8 << 10,
		Deadline: 10 * time.Second, BundleDeadline: 60 * time.Second,
		Requests: 2000, ClientRequests: 1000, ClientRate: 20_000, UnidentifiedRate: 100}
}

// Verifier returns the Principal of a request. Errors are *fhir.Error.
type Verifier func(ctx context.Context, h http.Header, address string) (consent.Principal, error)

// Config configures a Server.
type Config struct {
	Base   string // public FHIR base, no slash at the end
	Guard  *consent.Guard
	Index  *index.Indexer
	Search *search.Service
	Verify Verifier
	Audit  *audit.Writer // nil only under --auth off
	// Unidentified limits the audit records of requests without a valid token. The caller of New
	// flushes it. nil makes one whose last counts are lost.
	Unidentified *audit.UnidentifiedLimiter
	// Closed returns why the record is closed, as a *fhir.Error, or nil. It is called after the requester
	// is identified. nil is never closed.
	Closed func() error
	Limits Limits
	Clock  func() time.Time
	Log    *slog.Logger
	// Unguarded is --auth off: PUT may create, and types that nobody reads over FHIR are served.
	Unguarded bool
	Version   string // of the software
	// CORS are the origins whose pages may call; nil is none.
	CORS *cors.Rules
	// Security has the endpoints of the authorization server, for the CapabilityStatement.
	Security capability.Security
	NewID    func() string // ids of new resources; nil is consent.NewID
	// Validation selects how strictly bodies are validated; the zero value is strict.
	Validation validate.Mode
	// Strict makes handling=strict the default of requests without a handling preference (SRCH-007).
	Strict bool
	// Middleware wraps every request, for metrics, logs and traces. nil is none.
	Middleware Middleware
}

// Server serves one FHIR base. It is safe for concurrent use.
type Server struct {
	cfg        Config
	capability servedTypes
	statement  atomic.Pointer[statement]
	dispatcher dispatcher
	limiter    limiter
	headers    commonHeaders
}

// New makes a Server. It reads nothing.
func New(cfg Config) *Server {
	if cfg.NewID == nil {
		cfg.NewID = consent.NewID
	}
	if cfg.Unidentified == nil {
		cfg.Unidentified = &audit.UnidentifiedLimiter{}
	}
	s := &Server{cfg: cfg, limiter: limiter{limits: cfg.Limits, now: time.Now}, headers: newCommonHeaders()}
	s.dispatcher = newDispatcher(s.routes())
	s.capability = s.typesServed()
	return s
}

// Prepare makes the CapabilityStatement, which the first request for it would make otherwise. Its error
// is a fault of the program.
func (s *Server) Prepare() error {
	_, err := s.currentStatement()
	return err
}
