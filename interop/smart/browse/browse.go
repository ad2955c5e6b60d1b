// Package browse shows answers of the FHIR API to a person who has signed in, in a demonstration: JSON as a tree of which parts
// fold, with links to what it refers to. It reads through the FHIR API itself, as that person and with no more than the person's
// own view, by a token that lives as long as the one request. So neither /fhir nor any endpoint of OAuth ever looks at a cookie.
package browse

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync"

	"carerecord/consent"
	"carerecord/interop/pages"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/secret"
)

// Reader reads from the FHIR API. It is safe for concurrent use.
type Reader struct {
	Base string       // the FHIR base
	FHIR http.Handler // serves Base; it verifies tokens with Principal
	// callers are the Principals of the requests that run, by their tokens, which never leave the process.
	callers sync.Map
}

// Principal returns the Principal of a request that the Reader sends; false for any other request.
func (b *Reader) Principal(h http.Header) (consent.Principal, bool) {
	token, ok := oauth.Bearer(h)
	if !ok {
		return consent.Principal{}, false
	}
	p, ok := b.callers.Load(token)
	if !ok {
		return consent.Principal{}, false
	}
	return p.(consent.Principal), true
}

// Answer is an answer of the FHIR API.
type Answer struct {
	Status int
	Body   []byte
}

// maxAnswer is the largest answer that a page shows, in bytes.
const maxAnswer = 4 << 20

// ErrLarge says that an answer is longer than a page shows.
var ErrLarge = errors.New("the answer is too large for a page")

// Get reads a path and a query below the base as a Principal. The person's request gives the network address alone.
func (b *Reader) Get(ctx context.Context, of *http.Request, p consent.Principal, path, query string) (Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.Base+path, http.NoBody)
	if err != nil {
		return Answer{}, pages.Fail(pages.NotFound, err)
	}
	token := secret.New(secret.AccessToken)
	b.callers.Store(token, p)
	defer b.callers.Delete(token)
	r.URL.RawQuery, r.RemoteAddr = query, of.RemoteAddr
	r.RequestURI = r.URL.RequestURI()
	r.Header = http.Header{"Authorization": {"Bearer " + token}, "Accept": {"application/fhir+json"}}
	w := &recorded{header: http.Header{}}
	b.FHIR.ServeHTTP(w, r)
	if w.large {
		return Answer{}, ErrLarge
	}
	return Answer{Status: w.status, Body: w.body.Bytes()}, ctx.Err()
}

// recorded is the answer of a handler that runs inside the process.
type recorded struct {
	status int
	header http.Header
	body   bytes.Buffer
	large  bool
}

// Header implements http.ResponseWriter.
func (w *recorded) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. The first call decides.
func (w *recorded) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *recorded) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.body.Len()+len(p) > maxAnswer {
		w.large = true
		return 0, ErrLarge
	}
	return w.body.Write(p)
}
