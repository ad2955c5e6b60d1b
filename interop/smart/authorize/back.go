package authorize

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"net/http"
	"net/url"
	"time"

	"carerecord/interop/pages"
	"carerecord/interop/smart/ledger"
	"carerecord/store"
)

// The last parts of the paths on which a transaction ends.
const (
	stepBack = "back" // the page that says that the browser goes back to the app
	stepApp  = "app"  // the redirect to the app
)

// BackPrefix begins the State keys of answers that browsers fetch.
const BackPrefix = "smart/back/"

// answer is the answer of a transaction that has ended, until its browser fetches it. The address has a code, so it is sealed with
// the id of the transaction, of which the store has a digest alone (SMART-490).
type answer struct {
	App    string    `json:"app"`            // name of the client
	Logo   string    `json:"logo,omitempty"` // path of its image
	Sealed []byte    `json:"sealed"`
	Ends   time.Time `json:"ends"`
}

// way returns where the browser goes at the end of a transaction, and what is stored for it in the commit that ends the transaction: to the
// client, with parameters. If the browser has sent a form on its way, it goes
// by a page of ours. Chromium applies form-action to every redirect that follows a form, those of the client too, so a redirect from
// the form would be blocked wherever the client sends the browser on to another origin (SMART-166). A page ends that chain.
//
// An app on the device, which has a private scheme, is the end of the chain. It gets its redirect from the form, whose page names the
// scheme: browsers open an app only if a person has just acted, and the page would go on by itself. The page of the sign-in is not
// ours, and names no scheme.
func (e *Endpoint) way(q *request, p *progress, with url.Values) (writes []store.StateWrite, to string, err error) {
	location := e.backTo(&p.t, with)
	posted := q.r.Method == http.MethodPost
	signedIn := p.session != nil && !p.session.Started.Before(p.t.Made)
	if !posted && !p.t.Posted && !signedIn || privateScheme(p.t.Redirect) != "" && (posted || !signedIn) {
		return nil, location, nil
	}
	sealer, err := sealerOf(q.id)
	if err != nil {
		return nil, "", err
	}
	ends := e.Grants.Ledger.Now().Add(e.Lives.Code)
	w, err := ledger.New(e.backKey(p.t.Browser, q.id), answer{App: p.client.Name, Logo: e.Grants.Clients.LogoPath(p.client), Sealed: sealer.Seal(nil, nil, []byte(location), nil), Ends: ends}, ends)
	return []store.StateWrite{w}, Continue(q.id) + "/" + stepBack, err
}

// privateScheme returns the scheme of a redirect URI, with its colon, if it is one of an app on the device; "" for a web page.
func privateScheme(redirect string) string {
	u, err := url.Parse(redirect)
	if err != nil || u.Scheme == "http" || u.Scheme == "https" {
		return ""
	}
	return u.Scheme + ":"
}

func (e *Endpoint) backKey(browser, id string) string {
	return BackPrefix + browser + "/" + e.Grants.Secrets.Of(id)
}

// sealerOf returns the cipher that seals the answer of a transaction.
func sealerOf(id string) (cipher.AEAD, error) {
	key := sha256.Sum256([]byte("answer of " + id))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// serveBack answers the page that says that the browser goes back to the app, which it then does by itself. The page has no code:
// its link leads to serveApp.
func (e *Endpoint) serveBack(q *request) error {
	v, err := ledger.Read[answer](q.r.Context(), e.Grants.Ledger.State, e.backKey(e.Sessions.KnownBrowser(q.r), q.id))
	if ledger.Missing(err) || err == nil && !e.Grants.Ledger.Now().Before(v.Content.Ends) {
		return e.ended(err)
	}
	if err != nil {
		return err
	}
	on := Continue(q.id) + "/" + stepApp
	q.w.Header().Set("Refresh", "0; url="+on)
	return e.Pages.Render(q.w, q.r, http.StatusOK, pages.Back{App: v.Content.App, Path: on}, pages.Options{Logo: v.Content.Logo, App: v.Content.App})
}

// ended is the page of a transaction that is not open: it may have been answered, so the page leads to the apps with access.
func (e *Endpoint) ended(err error) error {
	return &pages.Failure{Kind: pages.Ended, Apps: e.StopPath, Err: err}
}

// serveApp sends the browser to the app, once.
func (e *Endpoint) serveApp(q *request) error {
	key := e.backKey(e.Sessions.KnownBrowser(q.r), q.id)
	raw, err := e.Grants.Ledger.State.Take(q.r.Context(), key)
	if ledger.Missing(err) {
		return e.ended(err)
	}
	if err != nil {
		return err
	}
	v, err := ledger.Decode[answer](key, raw)
	if err != nil {
		return err
	}
	if !e.Grants.Ledger.Now().Before(v.Content.Ends) {
		return e.ended(nil)
	}
	sealer, err := sealerOf(q.id)
	if err != nil {
		return err
	}
	location, err := sealer.Open(nil, nil, v.Content.Sealed, nil)
	if err != nil {
		return err
	}
	see(q.w, string(location))
	return nil
}
