package idp

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carerecord/interop/pages"
	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/session"
	"carerecord/interop/smart/signin"
	"carerecord/store"
)

// Path is the path below which providers are served. The name of the provider follows.
const Path = "/sample-sign-in/"

// codeLife is how long a code waits to be exchanged.
const codeLife = time.Minute

// Config has the dependencies of a Provider.
type Config struct {
	Origin string // scheme and host of this server as browsers see it
	Name   string // of the issuer in package signin; also part of the paths
	Kind   session.Kind
	People []Person
	// ClientKey is the private key with which package signin authenticates; the provider uses its public half.
	ClientKey jose.JSONWebKey
	// Key signs ID tokens. Nil: a new key, which other instances of the server do not have.
	Key     *rsa.PrivateKey
	State   store.State
	Digests secret.Digester
	Clock   func() time.Time
	Pages   *pages.Renderer
	Browser func(http.ResponseWriter, *http.Request) string // the binding of a browser (session.Sessions.Browser)
}

// Provider is an OpenID provider for the people of one kind. It keeps codes in State alone and is safe for concurrent use.
type Provider struct {
	cfg    Config
	issuer string
	key    jose.JSONWebKey
	client string
}

// New returns a Provider.
func New(cfg Config) (*Provider, error) {
	if !cfg.Kind.Known() || cfg.State == nil || cfg.Clock == nil || cfg.Pages == nil || cfg.Browser == nil || !cfg.ClientKey.Valid() {
		return nil, errors.New("a provider of sample people needs Kind, State, Clock, Pages, Browser and ClientKey")
	}
	if !cfg.Pages.Demonstration() {
		return nil, errors.New("a provider of sample people needs pages that are marked as a demonstration")
	}
	if u, err := url.Parse(cfg.Origin); err != nil || u.Host == "" || u.Scheme+"://"+u.Host != cfg.Origin {
		return nil, fmt.Errorf("origin %q of a provider of sample people: want scheme, host and port alone", cfg.Origin)
	}
	key := cfg.Key
	if key == nil {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, fmt.Errorf("make the key of the provider %s: %w", cfg.Name, err)
		}
	}
	p := &Provider{cfg: cfg, issuer: cfg.Origin + Path + cfg.Name, client: "carerecord"}
	p.key = jose.JSONWebKey{Key: key, KeyID: "sample-" + cfg.Name, Algorithm: string(p.algorithm()), Use: "sig"}
	return p, nil
}

func (p *Provider) algorithm() jose.SignatureAlgorithm {
	if p.cfg.Kind == session.Patient {
		return jose.RS512
	}
	return jose.RS256
}

// Issuer returns the configuration with which package signin uses the provider. The client is the way to it: Client for
// calls inside the process.
func (p *Provider) Issuer(client *http.Client) signin.Issuer {
	return signin.Issuer{
		Name: p.cfg.Name, Kind: p.cfg.Kind, Issuer: p.issuer, ClientID: p.client, Key: p.cfg.ClientKey, Scopes: []string{"openid", "profile"},
		Algorithms: []jose.SignatureAlgorithm{p.algorithm()}, Assurance: signin.AssuranceSample, Levels: levels(),
		Claims: map[signin.Claim]string{signin.ClaimName: "name", signin.ClaimNHSNumber: "nhs_number", signin.ClaimBirthDate: "birthdate"},
		Client: client, LogsOut: true,
	}
}

// Handler serves the provider below Path and its name.
func (p *Provider) Handler() http.Handler {
	base := Path + p.cfg.Name
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base+"/.well-known/openid-configuration", p.answers(p.discovery))
	mux.HandleFunc("GET "+base+"/jwks.json", p.answers(p.jwks))
	mux.HandleFunc("POST "+base+"/token", p.answers(p.token))
	mux.Handle("GET "+base+"/authorize", p.cfg.Pages.Handle(p.authorize))
	mux.Handle("POST "+base+"/authorize", p.cfg.Pages.Handle(p.choose))
	mux.Handle("/", p.cfg.Pages.Handle(func(http.ResponseWriter, *http.Request) error { return pages.Fail(pages.NotFound, nil) }))
	return mux
}

// Client returns an HTTP client that calls the handlers of providers directly, without a network. A request to another
// address fails.
func Client(providers ...*Provider) *http.Client {
	return &http.Client{Transport: direct(providers)}
}

type direct []*Provider

// RoundTrip implements http.RoundTripper.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, p := range d {
		if strings.HasPrefix(r.URL.Scheme+"://"+r.URL.Host+r.URL.Path, p.issuer+"/") {
			return call(p.Handler(), r)
		}
	}
	return nil, errors.New("no provider of sample people has this address")
}
