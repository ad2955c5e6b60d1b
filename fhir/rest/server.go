// Package rest serves the RESTful API of FHIR R4: gin routes, one file per
// interaction, one file that turns errors into OperationOutcome.
//
// A request becomes a call: caller verified, format negotiated, parameters read
// once. A handler returns an answer or an error; it never writes. serve makes
// the record of the answer durable in the trail, and then the first byte
// leaves. A handler holds a consent.View and never a store.
package rest

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"carerecord/conformance/validate"
	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/search"
)

// Limits are the settings of LIM-001 that this package obeys, in bytes,
// entries and durations.
type Limits struct {
	Resource, Bundle, Form int64
	Entries, URL           int
	// Requests is how many requests may be under way; ClientRequests how many of
	// one client, and ClientRate how many it may begin a second. 0 is no limit.
	Requests, ClientRequests, ClientRate int
	// UnidentifiedRate is how many requests without a valid token an address may send a
	// second; 0 is no limit.
	UnidentifiedRate int
	// NeedIfMatch and NoDelete are types whose updates need If-Match, and types
	// closed to deletion (REST-048, 184).
	NeedIfMatch, NoDelete []string
	// ConditionalDelete is how many matches a conditional delete may take; 0 for
	// single, which refuses several.
	ConditionalDelete        int
	Deadline, BundleDeadline time.Duration
}

// DefaultLimits are those of the requirements.
func DefaultLimits() Limits {
	return Limits{Resource: 10 << 20, Bundle: 256 << 20, Form: 1 << 20, Entries: 50_000, URL: 8 << 10,
		Deadline: 10 * time.Second, BundleDeadline: 60 * time.Second,
		Requests: 2000, ClientRequests: 1000, ClientRate: 20_000, UnidentifiedRate: 100}
}

// Verifier makes a Principal of a request's headers. Errors are *fhir.Error.
type Verifier func(ctx context.Context, h http.Header, address string) (consent.Principal, error)

// Config is what a Server is made of.
type Config struct {
	Base   string // public FHIR base, no slash at the end
	Guard  *consent.Guard
	Index  *index.Indexer
	Search *search.Service
	Verify Verifier
	Audit  *audit.Writer // nil only under --auth off
	// Unidentified counts the requests without a valid token. Whoever gives one flushes it;
	// nil makes one of the Server's own, whose last counts are lost.
	Unidentified *audit.UnidentifiedLimiter
	// Closed returns why the record does not answer now, a *fhir.Error, or nil. It is asked
	// once the caller is known. nil is never closed.
	Closed func() error
	Limits Limits
	Clock  func() time.Time
	Log    *slog.Logger
	// Unguarded is --auth off: PUT creates, and types without a reader over
	// FHIR are served.
	Unguarded bool
	Version   string        // of the software
	Origins   []string      // of pages that may call, as https://host
	NewID     func() string // ids of new resources; nil is consent.NewID
	// Validation says how strictly bodies are judged; the zero value is strict.
	Validation validate.Mode
	// Strict makes handling=strict the default of requests that name no handling (SRCH-007).
	Strict bool
	// Middleware goes around each request: metrics, log, traces. nil is none.
	Middleware Middleware
}

// Server serves one FHIR base. It is safe for concurrent use.
type Server struct {
	cfg        Config
	capability capability
	statement  atomic.Pointer[statement]
	crowd      crowd
	usual      usual
}

// New makes a Server.
func New(cfg Config) (*Server, error) {
	if cfg.NewID == nil {
		cfg.NewID = consent.NewID
	}
	if cfg.Unidentified == nil {
		cfg.Unidentified = &audit.UnidentifiedLimiter{}
	}
	s := &Server{cfg: cfg, crowd: crowd{limits: cfg.Limits, now: time.Now}, usual: newUsual()}
	s.capability = s.capable()
	_, err := s.current()
	return s, err
}

// handler does one interaction.
type handler func(context.Context, *call) (*answer, error)

// route is one path and verb. The table of routes is what metadata tells.
type route struct {
	method, path string
	interaction  consent.Interaction
	handle       handler
}

func (s *Server) routes() []route {
	return append(s.typed(), []route{
		{http.MethodGet, "/:type/:id", consent.Read, s.read},
		{http.MethodPut, "/:type/:id", consent.Update, s.update},
		{http.MethodPut, "/:type", consent.Update, s.updateWhere},
		{http.MethodPatch, "/:type/:id", consent.Patch, s.patch},
		{http.MethodPatch, "/:type", consent.Patch, s.patchWhere},
		{http.MethodDelete, "/:type/:id", consent.Delete, s.delete},
		{http.MethodDelete, "/:type", consent.Delete, s.deleteWhere},
		{http.MethodGet, "/:type/:id/_history", consent.HistoryOfOne, s.historyOfOne},
		{http.MethodGet, "/:type/:id/_history/:vid", consent.VRead, s.vread},
		{http.MethodGet, "/:type/_history", consent.HistoryOfType, s.historyOfType},
		{http.MethodGet, "/_history", consent.HistoryOfAll, s.historyOfAll},
		{http.MethodPost, "/:type", consent.Create, s.create},
		{http.MethodPost, "/:type/$validate", consent.Validate, s.validate},
		{http.MethodGet, "/:type/$validate", consent.Validate, s.postOnly},
		{http.MethodPost, "/:type/:id/$validate", consent.Validate, s.validate},
		{http.MethodGet, "/:type/:id/$validate", consent.Validate, s.postOnly},
		{http.MethodGet, "/:type", consent.Search, s.search},
		{http.MethodPost, "/:type/_search", consent.Search, s.search},
		{http.MethodGet, "", consent.SearchAll, s.searchAll},
		{http.MethodPost, "/_search", consent.SearchAll, s.searchAll},
		{http.MethodGet, "/:type/:id/:member", consent.SearchWithin, s.searchWithin},
		{http.MethodPost, "/:type/:id/:member/_search", consent.SearchWithin, s.searchWithin},
		{http.MethodGet, "/$meta", consent.Meta, s.metaOfType},
		{http.MethodPost, "/$meta", consent.Meta, s.metaOfType},
		{http.MethodGet, "/:type/$meta", consent.Meta, s.metaOfType},
		{http.MethodPost, "/:type/$meta", consent.Meta, s.metaOfType},
		{http.MethodGet, "/:type/:id/$meta", consent.Meta, s.metaOfOne},
		{http.MethodPost, "/:type/:id/$meta", consent.Meta, s.metaOfOne},
		{http.MethodGet, "/:type/:id/_history/:vid/$meta", consent.Meta, s.metaOfOne},
		{http.MethodPost, "/:type/:id/$meta-add", consent.MetaAdd, s.metaAdd},
		{http.MethodGet, "/:type/:id/$meta-add", consent.MetaAdd, s.postOnly},
		{http.MethodPost, "/:type/:id/$meta-delete", consent.MetaDelete, s.metaDelete},
		{http.MethodGet, "/:type/:id/$meta-delete", consent.MetaDelete, s.postOnly},
		{http.MethodPost, "", consent.Batch, s.bundle},
	}...)
}

// Route is one path and verb of a Server, in no order that would say anything.
type Route struct {
	Method      string
	Path        string // below the base, with :type, :id, :vid and :member; empty for the base itself
	Interaction consent.Interaction
}

// Routes returns all routes that are served. A GET is a HEAD too.
func (s *Server) Routes() []Route {
	out := []Route{{http.MethodGet, "/metadata", metadataRead}}
	for _, r := range s.routes() {
		out = append(out, Route{r.method, r.path, r.interaction})
	}
	return out
}

// metadataRead is the interaction of the CapabilityStatement.
const metadataRead consent.Interaction = "metadata"

// Handler returns the routes under /fhir.
func (s *Server) Handler() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.RedirectTrailingSlash, e.RedirectFixedPath, e.HandleMethodNotAllowed = false, false, true
	e.Use(s.cors)
	base := e.Group("/fhir")
	base.GET("/metadata", s.serve(metadataRead, s.metadata, true))
	base.HEAD("/metadata", s.serve(metadataRead, s.metadata, true))
	for _, r := range s.routes() {
		base.Handle(r.method, r.path, s.serve(r.interaction, r.handle, false))
		if r.method == http.MethodGet {
			base.HEAD(r.path, s.serve(r.interaction, r.handle, false))
		}
	}
	e.NoRoute(s.serve("unknown", noRoute, false))
	e.NoMethod(s.serve("unknown", noMethod, false))
	return trim(e)
}

// trim takes one trailing slash off (REST-012).
func trim(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; len(p) > 1 && strings.HasSuffix(p, "/") && !strings.HasSuffix(p, "//") {
			r.URL.Path, r.URL.RawPath = strings.TrimSuffix(p, "/"), ""
		}
		next.ServeHTTP(w, r)
	})
}

func noRoute(context.Context, *call) (*answer, error) {
	return nil, fhir.Fault(404, "not-supported", "There is no such route or operation here.")
}

// operation reports whether the path ends in the name of an operation.
func (c *call) operation() bool {
	return strings.Contains(c.r.URL.Path, "/$")
}

func noMethod(ctx context.Context, c *call) (*answer, error) {
	if c.operation() { // an unknown one (OPER-001)
		return noRoute(ctx, c)
	}
	return nil, wrongMethod(c)
}

func wrongMethod(c *call) error {
	e := fhir.Fault(405, "not-supported", "%s is not available here.", c.r.Method)
	e.Header = map[string]string{"Allow": c.allow}
	return e
}
