package smart

import (
	"context"
	"crypto/rsa"
	"log/slog"
	"net/http"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/consent/policy"
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
	"carerecord/interop/smart/printed"
	"carerecord/interop/smart/resource"
	"carerecord/interop/smart/revoke"
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
	// Epoch is that of the process, which alone writes to the store; nil where others write too.
	Epoch *ledger.Epoch
	Demo  bool // a demonstration with sample people, which one person runs
	// SampleKey signs for the sample issuers of a demonstration; nil makes a new one, which no other server has.
	SampleKey *rsa.PrivateKey
	// Failures is how many failed requests of a client at an address are answered in a minute; 0 is no limit
	// (SMART-482).
	Failures int
	// Introspections is how many requests for introspection of a client are answered in a minute; 0 is no limit.
	Introspections int
	Observer       Observer
}

// Server is an authorization server. It is safe for concurrent use.
type Server struct {
	cfg       Config
	Clients   *clients.Registry
	Grants    *grants.Store
	Resource  *resource.Verifier
	Printed   *printed.Issuer
	documents *discovery.Documents
	users     *users              // nil where nobody can sign in
	endpoints map[string]endpoint // by method and path
}

// New makes a Server. It reads nothing.
func New(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg}
	books := &ledger.Ledger{State: cfg.State, Commit: cfg.Commit, Audit: cfg.Audit, Clock: cfg.Clock, Epoch: cfg.Epoch, Observe: s.observed}
	s.Clients = &clients.Registry{Ledger: books, Secrets: cfg.Secrets, OneOperator: cfg.Demo, Rules: clients.Rules{Loopback: cfg.Loopback, Evidence: cfg.Policy.Agreement.Evidence, Organisation: func(ods string) bool {
		_, ok := cfg.Policy.Organisation(ods)
		return ok
	}}}
	s.Grants = &grants.Store{Ledger: books, Secrets: cfg.Secrets, Clients: s.Clients}
	s.Resource = &resource.Verifier{Grants: s.Grants, Policy: cfg.Policy, SignIn: cfg.Guard.SignIn, Clock: cfg.Clock}
	if cfg.Epoch != nil {
		s.Resource.Kept = resource.NewKept(cfg.Epoch)
	}
	s.Printed = &printed.Issuer{Grants: s.Grants, Clients: s.Clients, Policy: cfg.Policy, PersonKey: s.personKey}
	if cfg.Demo {
		if err := s.openUsers(); err != nil {
			return nil, err
		}
	}
	var err error
	s.documents, err = discovery.New(discovery.Config{Base: cfg.Site + "/fhir", Site: cfg.Site, Users: s.users != nil, Capabilities: s.capabilities(), Scopes: s.examples(), Keys: cfg.Keys.Public})
	if err != nil {
		return nil, err
	}
	failures := limits.New(cfg.Failures, cfg.Clock)
	auth := &clientauth.Authenticator{Clients: s.Clients, Audience: cfg.Site + "/oauth/token", Failures: failures, Address: address,
		KeySets: &jwks.Cache{HTTP: jwks.NewClient(cfg.Loopback), Loopback: cfg.Loopback, Clock: cfg.Clock, Failed: func() { s.count("key-fetch", "") }}}
	ids := &idtoken.Maker{Issuer: cfg.Site + "/fhir", Keys: cfg.Keys, Clock: cfg.Clock}
	s.endpoints = s.newEndpoints(
		&token.Endpoint{Auth: auth, Grants: s.Grants, IDs: ids, Lives: grants.DefaultLives(), Failures: failures, Allowed: s.allowed, Refreshed: s.refreshed, Address: address},
		&introspect.Endpoint{Auth: auth, Grants: s.Grants, Issuer: cfg.Site + "/fhir", Calls: limits.New(cfg.Introspections, cfg.Clock)},
		&revoke.Endpoint{Auth: auth, Grants: s.Grants, Address: address})
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
	return s.Resource.Verify(ctx, h, address)
}

// capabilities are those of SMART that work.
func (s *Server) capabilities() []string {
	backend := []string{"client-confidential-asymmetric", "permission-v1", "permission-v2"}
	if s.users == nil {
		return backend
	}
	return append(backend, "launch-ehr", "launch-standalone", "authorize-post", "client-public", "client-confidential-symmetric", "sso-openid-connect", "context-banner",
		"context-ehr-patient", "context-ehr-encounter", "context-standalone-patient", "permission-offline", "permission-online", "permission-patient", "permission-user")
}

// examples are scopes that work for a client that has them (SMART-026).
func (s *Server) examples() []string {
	backend := []string{"system/*.rs", "system/*.cruds", "system/Observation.rs"}
	if s.users == nil {
		return backend
	}
	return append(backend, "openid", "fhirUser", "launch", "launch/patient", "offline_access", "online_access", "patient/*.rs", "patient/Observation.read", "user/*.rs",
		"patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory")
}
