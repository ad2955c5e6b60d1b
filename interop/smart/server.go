package smart

import (
	"cmp"
	"context"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/fhir/cors"
	"carerecord/interop/pages"
	"carerecord/interop/smart/authorize"
	"carerecord/interop/smart/capabilities"
	"carerecord/interop/smart/clientauth"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/discovery"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/idtoken"
	"carerecord/interop/smart/introspect"
	"carerecord/interop/smart/jwks"
	"carerecord/interop/smart/keys"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/limits"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/printed"
	"carerecord/interop/smart/resource"
	"carerecord/interop/smart/revoke"
	"carerecord/interop/smart/scopes"
	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/token"
	"carerecord/store"
)

// Config has the dependencies of a Server.
type Config struct {
	Site     string // the address of the site, without /fhir
	Loopback bool   // the site is on a loopback address
	State    store.State
	Commit   audit.Committer
	Audit    *audit.Writer
	Policy   *policy.Folder
	Guard    *consent.Guard
	Keys     *keys.Keys
	Secrets  secret.Digester
	Clock    func() time.Time
	Log      *slog.Logger
	Origins  []string // of pages that may call for every client, as https://host
	// Epoch is that of the process, which alone writes to the store; nil where others write too.
	Epoch    *ledger.Epoch
	Demo     bool   // a demonstration with sample people, which one person runs
	EHR, App string // addresses of the example EHR and the example app of a demonstration; empty for none
	// SampleKey signs for the sample issuers of a demonstration; nil makes a new one, which no other server has.
	SampleKey *rsa.PrivateKey
	// Capabilities are those of SMART App Launch that are on (SMART-006).
	Capabilities capabilities.Set
	// Failures is how many failed requests of a client at an address are answered in a minute, and a tenth of how many of an
	// address, or of an authenticated client, have an audit record each; 0 is no limit (SMART-482).
	Failures int
	// Closed returns why nothing of the record may be shown now, as store.ErrUnavailable; nil where it may. May be nil.
	Closed func() error
	// Unidentified counts the refusals without a record of their own; the caller flushes it. nil makes a new one, whose
	// counts are lost.
	Unidentified *audit.UnidentifiedLimiter
	// Introspections is how many requests for introspection of a client are answered in a minute; 0 is no limit.
	Introspections int
	Observer       Observer
	// Deadline is how long a request may take; 0 is ten seconds.
	Deadline time.Duration
}

// Server is an authorization server. It is safe for concurrent use.
type Server struct {
	cfg       Config
	Clients   *clients.Registry
	Grants    *grants.Store
	Resource  *resource.Verifier
	Printed   *printed.Issuer
	CORS      *cors.Rules // also for the FHIR API
	refusals  *ledger.Refusals
	documents *discovery.Documents
	answers   oauth.Answers
	users     *users              // nil where nobody can sign in
	endpoints map[string]endpoint // by method and path
}

// recordFactor is how many times the failures of one client at an address have a record each: of an address, whatever clients it names, and
// of a client that was authenticated, whatever it does.
const recordFactor = 10

// New makes a Server. It reads nothing.
func New(cfg Config) (*Server, error) {
	var err error
	if cfg.Capabilities, err = cfg.Capabilities.WithParameters(cfg.Policy.Agreement.ScopeParameters); err != nil {
		return nil, fmt.Errorf("agreement.scopeParameters of the policy: %w", err)
	}
	s := &Server{cfg: cfg}
	books := &ledger.Ledger{State: cfg.State, Commit: cfg.Commit, Audit: cfg.Audit, Clock: cfg.Clock, Epoch: cfg.Epoch, Observe: s.observed}
	s.refusals = &ledger.Refusals{Ledger: books, Sources: limits.New(recordFactor*cfg.Failures, cfg.Clock), Clients: limits.New(recordFactor*cfg.Failures, cfg.Clock), Counted: cmp.Or(cfg.Unidentified, &audit.UnidentifiedLimiter{})}
	s.Clients = &clients.Registry{Ledger: books, Secrets: cfg.Secrets, OneOperator: cfg.Demo, ServesKind: cfg.Capabilities.Serves, Rules: clients.Rules{Loopback: cfg.Loopback, Evidence: cfg.Policy.Agreement.Evidence, Organisation: func(ods string) bool {
		_, ok := cfg.Policy.Organisation(ods)
		return ok
	}}}
	s.CORS = &cors.Rules{Settings: cfg.Origins, Clients: s.Clients.AllowsOrigin, Log: cfg.Log}
	s.Grants = &grants.Store{Ledger: books, Secrets: cfg.Secrets, Clients: s.Clients}
	s.Resource = &resource.Verifier{Grants: s.Grants, Policy: cfg.Policy, SignIn: cfg.Guard.SignIn, Clock: cfg.Clock}
	if cfg.Epoch != nil {
		s.Resource.Kept = resource.NewKept(cfg.Epoch)
	}
	s.Printed = &printed.Issuer{Grants: s.Grants, Clients: s.Clients, Policy: cfg.Policy, PersonKey: s.personKey}
	failures := limits.New(cfg.Failures, cfg.Clock)
	auth := &clientauth.Authenticator{Clients: s.Clients, Audience: cfg.Site + tokenPath, Failures: failures, Address: address, Refusals: s.refusals,
		KeySets: &jwks.Cache{HTTP: jwks.NewClient(cfg.Loopback), Loopback: cfg.Loopback, Clock: cfg.Clock, Failed: func() { s.count("key-fetch", "") }}}
	if cfg.Demo {
		if err := s.openUsers(auth); err != nil {
			return nil, err
		}
	}
	s.documents, err = discovery.New(discovery.Config{Base: cfg.Site + "/fhir", Site: cfg.Site, Users: s.users != nil, Endpoints: s.Endpoints(), Capabilities: s.capabilities(), Scopes: s.examples(), Keys: cfg.Keys.Public})
	if err != nil {
		return nil, err
	}
	ids := &idtoken.Maker{Issuer: cfg.Site + "/fhir", Keys: cfg.Keys, Clock: cfg.Clock}
	s.answers = oauth.Answers{Log: cfg.Log, Refused: func(r *http.Request, e *oauth.Error) {
		if e.Status == http.StatusTooManyRequests {
			s.refused(endpointOf(r.URL.Path), string(pages.TooMany))
			return
		}
		s.refused(endpointOf(r.URL.Path), e.Code)
	}}
	if s.users != nil {
		s.answers.Help = cfg.Site + DevelopersPath + "#errors"
	}
	s.endpoints = s.newEndpoints(
		&token.Endpoint{Auth: auth, Grants: s.Grants, IDs: ids, Lives: grants.DefaultLives(), Capabilities: cfg.Capabilities, People: s.users != nil, Allowed: s.allowed, Refreshed: s.refreshed, Address: address, CORS: s.CORS},
		&introspect.Endpoint{Auth: auth, Grants: s.Grants, Issuer: cfg.Site + "/fhir", Policy: cfg.Policy, SessionLives: s.sessionLives, Allowed: s.stillAllowed, Calls: limits.New(cfg.Introspections, cfg.Clock)},
		&revoke.Endpoint{Auth: auth, Grants: s.Grants, Address: address, CORS: s.CORS})
	return s, nil
}

// Import registers the clients of the policy folder that are not registered yet.
func (s *Server) Import(ctx context.Context, who string) error {
	for _, c := range s.cfg.Policy.Clients {
		if err := s.Clients.Import(ctx, who, clients.OfPolicy(c)); err != nil {
			return err
		}
	}
	return nil
}

// Verify returns the Principal of a request to the resource server.
func (s *Server) Verify(ctx context.Context, h http.Header, address string) (consent.Principal, error) {
	if s.users != nil && s.users.browse != nil {
		if p, ok := s.users.browse.Principal(h); ok {
			return p, nil
		}
	}
	return s.Resource.Verify(ctx, h, address)
}

// Endpoints returns the absolute URLs of the endpoints, which come from the settings alone (SMART-002).
func (s *Server) Endpoints() discovery.Endpoints {
	e := discovery.Endpoints{Token: s.cfg.Site + tokenPath, Introspect: s.cfg.Site + introspectPath, Revoke: s.cfg.Site + revokePath}
	if s.users != nil {
		e.Authorize, e.Manage = s.cfg.Site+authorize.Path, s.cfg.Site+AppsPath
	}
	return e
}

// capabilities are those of SMART that work.
func (s *Server) capabilities() []string { return s.cfg.Capabilities.List(s.users != nil) }

// examples are scopes that work for a client that has them (SMART-026).
func (s *Server) examples() []string {
	all := "system/*.rs system/*.cruds system/Observation.rs"
	if s.users != nil {
		all += " openid fhirUser profile launch launch/patient launch/encounter offline_access online_access patient/*.rs patient/Observation.read user/*.rs" +
			" patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
	}
	set, _, err := scopes.Parse(all, nil)
	if err != nil {
		panic(err) // the scopes are written above
	}
	return strings.Fields(s.cfg.Capabilities.Permitted(set, s.cfg.Capabilities.Has(capabilities.LaunchEHR)).String())
}
