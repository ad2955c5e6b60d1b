package signin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/sync/singleflight"
)

// documentLife is how long the discovery document and the keys of an issuer are used without asking again.
const documentLife = time.Hour

// maxAnswer is the largest answer of an issuer that is read.
const maxAnswer = 256 << 10

// issuer is an Issuer with what is cached of it.
type issuer struct {
	Issuer
	clock   func() time.Time
	http    *http.Client
	fetches singleflight.Group

	mu       sync.Mutex // guards provider
	provider *provider
}

// provider is the discovery document of an issuer, with its keys.
type provider struct {
	*oidc.Provider
	sendsIssuer bool
	keys        *keySet
	read        time.Time
}

func newIssuer(i Issuer, clock func() time.Time) *issuer {
	if i.Timeout == 0 {
		i.Timeout = 5 * time.Second
	}
	transport := i.Client.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	client := &http.Client{Transport: limited{transport}, Timeout: i.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("the issuer redirects, which is not followed")
	}}
	return &issuer{Issuer: i, clock: clock, http: client}
}

// limited is a transport whose answers end with an error after maxAnswer bytes.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, maxAnswer)
	}
	return answer, err
}

func (i *issuer) scopes() []string {
	if slices.Contains(i.Scopes, oidc.ScopeOpenID) {
		return i.Scopes
	}
	return append([]string{oidc.ScopeOpenID}, i.Scopes...)
}

// discovered returns the discovery document, which is fetched again after an hour. Simultaneous callers share a fetch.
func (i *issuer) discovered(ctx context.Context) (*provider, error) {
	i.mu.Lock()
	p := i.provider
	i.mu.Unlock()
	if p != nil && i.clock().Before(p.read.Add(documentLife)) {
		return p, nil
	}
	result := i.fetches.DoChan("discovery", func() (any, error) { return i.discover(context.WithoutCancel(ctx)) })
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*provider), nil
	}
}

func (i *issuer) discover(ctx context.Context) (*provider, error) {
	ctx = oidc.ClientContext(ctx, i.http)
	p := &provider{read: i.clock()}
	var document struct {
		Keys        string `json:"jwks_uri"`
		SendsIssuer bool   `json:"authorization_response_iss_parameter_supported"`
	}
	if e := i.Endpoints; e != nil {
		c := oidc.ProviderConfig{IssuerURL: i.Issuer.Issuer, AuthURL: e.Authorization, TokenURL: e.Token, JWKSURL: e.Keys, UserInfoURL: e.UserInfo}
		p.Provider, p.sendsIssuer, document.Keys = c.NewProvider(ctx), e.SendsIssuer, e.Keys
	} else {
		found, err := oidc.NewProvider(ctx, i.Issuer.Issuer)
		if err != nil {
			return nil, fmt.Errorf("read discovery document: %w", withoutBody(err))
		}
		if err := found.Claims(&document); err != nil {
			return nil, fmt.Errorf("read discovery document: %w", withoutBody(err))
		}
		p.Provider, p.sendsIssuer = found, document.SendsIssuer
	}
	for _, address := range []string{p.Endpoint().AuthURL, p.Endpoint().TokenURL, document.Keys} {
		if !i.sameSafety(address) {
			return nil, errors.New("an endpoint of the issuer has no https address")
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.provider != nil {
		p.keys = i.provider.keys // the limit of fetches goes on
		p.keys.move(document.Keys)
	} else {
		p.keys = newKeySet(i, document.Keys)
	}
	i.provider = p
	return p, nil
}

// sameSafety reports whether an address is https, or http as the issuer itself.
func (i *issuer) sameSafety(address string) bool {
	u, err := url.Parse(address)
	issuer, bad := url.Parse(i.Issuer.Issuer)
	return err == nil && bad == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == issuer.Scheme)
}

// get returns the body of an address of the issuer, if the answer is 200.
func (i *issuer) get(ctx context.Context, address, token string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := i.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, unreachable{fmt.Errorf("the answer has status %d", answer.StatusCode)}
	}
	return io.ReadAll(answer.Body)
}
