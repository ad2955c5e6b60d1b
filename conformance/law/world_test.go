package law_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"carerecord/conformance/servertest"
	"carerecord/consent"
	"carerecord/consent/consenttest"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/fhir/rest"
	"carerecord/fhir/search"
	"carerecord/store"
	"carerecord/store/storetest"
)

const (
	site = servertest.URL
	base = servertest.Base
)

// organisations are the ODS codes of the organisations of every world: a practice, an acute trust and a
// community provider. The patient index of some worlds is another organisation, which writes Patients only. The NHS
// numbers of traced organisations are traced.
var (
	organisations = []string{"XGP01", "XAC01", "XCO01"}
	traced        = organisations[:2]
	patientIndex  = "XPD01"
)

// policyOf returns the policy of a region.
func policyOf(r region) *policy.Folder {
	f := servertest.Policy(true, append(slices.Clone(organisations), patientIndex)...)
	if f.Identity = nil; !r.literal {
		f.Identity = policy.DefaultIdentity(traced...)
		f.Identity.Index = r.index
	}
	return f
}

func prefix(ods string) string { return strings.ToLower(ods) + "." }

// indexer returns the indexer that all sides share, since its construction takes longer than all requests to a
// world. No world defines search parameters.
var indexer = sync.OnceValues(func() (*index.Indexer, error) {
	return index.New(index.Config{Base: base, Clock: func() time.Time { return epoch.Add(time.Hour) }, IndexWords: true})
})

// epoch is the instant of the first request to every side.
var epoch = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// side is one server over one store, which has all data or a visible part.
type side struct {
	testing.TB
	store         store.Store
	guard         *consent.Guard
	decider       *consenttest.Decider
	server        *rest.Server
	handler       http.Handler
	network       *httptest.Server // nil for a side in process
	limits        *search.Limits
	longTokens    store.State // stores long page tokens
	callers       map[string]consent.Principal
	now           time.Time
	idsMade       int // ids made since the last request
	requestNumber int
}

// serve opens a server of a region over a store. Its clock and the ids that it makes depend only on the number of the
// request, so two sides with the same requests have the same ids and instants.
func serve(t testing.TB, db store.Store, in region) *side {
	t.Helper()
	w := &side{TB: t, store: db, now: epoch, callers: map[string]consent.Principal{}}
	clock := func() time.Time { return w.now }
	w.longTokens = storetest.NewReference(clock)
	x, err := indexer()
	w.noError(err)
	w.decider = consenttest.New(x)
	s := servertest.Open(t, servertest.Config{Store: db, Index: x, Clock: clock, State: w.longTokens, Policy: policyOf(in),
		Guard: func(c *consent.Config) { c.Decider = w.decider },
		REST: func(c *rest.Config) {
			c.NewID = func() string {
				w.idsMade++
				sum := sha256.Sum256(fmt.Appendf(nil, "%d/%d", w.requestNumber, w.idsMade))
				return hex.EncodeToString(sum[:16])
			}
			c.Verify = func(_ context.Context, m http.Header, _ string) (consent.Principal, error) {
				p, known := w.callers[m.Get("Authorization")]
				if !known {
					return p, fhir.Fault(http.StatusUnauthorized, "login", "Nobody.")
				}
				return p, nil
			}
		}})
	w.guard, w.server, w.handler, w.limits = s.Guard, s.Server, s.Handler(), &s.Search.Limits
	w.limits.IncludesPerPage = 8 // so that pages are cut
	w.limits.Hop = 1             // so that streams take many batches
	return w
}

// useLowLimits lowers the limits above which a request is too costly. Only visible data may decide whether it is
// (LIM-004).
func (w *side) useLowLimits() {
	w.limits.ScanMaximum, w.limits.SortMaximum, w.limits.CountBudget = 4, 3, 2
}

// bearer returns the Authorization header of a caller.
func (w *side) bearer(p consent.Principal) string {
	token := fmt.Sprintf("Bearer %v", p)
	w.callers[token] = p
	return token
}

func (w *side) noError(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// startRequest sets the number of the next request, which determines its instant and the ids that the server makes.
func (w *side) startRequest(request int) {
	w.requestNumber, w.idsMade = request, 0
	w.now = epoch.Add(time.Duration(request) * time.Second)
}

// question is one request to a side.
type question struct {
	method, path string // path below the base, with its slash
	body         string
	header       []string // name, value
	// patientID and patientNumber identify the patient of the question (consent.md, section 1). At most one of
	// them is set.
	patientID, patientNumber string
	acceptGzip               bool // the request accepts a compressed answer
}

func (q question) String() string {
	s := q.method + " " + q.path
	for i := 0; i+1 < len(q.header); i += 2 {
		s += " " + q.header[i] + ":" + q.header[i+1]
	}
	if q.body != "" {
		s += " " + q.body
	}
	return s
}

// do sends a question as a caller.
func (w *side) do(p consent.Principal, q question) *httptest.ResponseRecorder {
	at := base
	if w.network != nil {
		at = w.network.URL + "/fhir"
	}
	r := httptest.NewRequest(q.method, at+q.path, strings.NewReader(q.body))
	r.Header.Set("Authorization", w.bearer(p))
	r.Header.Set("X-Request-Id", "law")
	if q.acceptGzip {
		r.Header.Set("Accept-Encoding", "gzip")
	}
	if q.method != "GET" && q.method != "HEAD" {
		r.Header.Set("Content-Type", "application/fhir+json")
	}
	for i := 0; i+1 < len(q.header); i += 2 {
		r.Header.Set(q.header[i], q.header[i+1])
	}
	out := httptest.NewRecorder()
	if w.network == nil {
		w.handler.ServeHTTP(out, r)
	} else {
		w.roundTrip(out, r)
	}
	w.normalizeBody(out, q)
	if out.Code == http.StatusInternalServerError {
		w.Fatalf("internal error for %s:\n%s", q, out.Body)
	}
	return out
}

// versions returns every version of every document.
func (w *side) versions() []store.Doc {
	var docs []store.Doc
	err := w.store.Read(context.Background(), func(snap store.Snapshot) error {
		for _, typ := range append([]string{"Patient"}, rowTypes...) {
			for d, err := range snap.History(context.Background(), store.HistoryQuery{Type: typ}) {
				if err != nil {
					return err
				}
				docs = append(docs, d)
			}
		}
		return nil
	})
	w.noError(err)
	return docs
}

// The requesters.

func sourceSystem(ods string) consent.Principal {
	return consent.Principal{Kind: consent.SourceSystem, Subject: "feed-" + ods, Organisation: ods, Purpose: "TREAT", ClientPurposes: []string{"TREAT"},
		Flow: consent.FlowIngest, IDPrefix: prefix(ods), Scopes: scopes("system/*.cruds")}
}

func staffMember(ods, scope string, activities ...string) consent.Principal {
	return consent.Principal{Kind: consent.Staff, Subject: "person-" + ods, Organisation: ods, Role: "role", Activities: append([]string{policy.ActivityRead}, activities...),
		Purpose: "TREAT", ClientPurposes: []string{"TREAT"}, Scopes: scopes(scope)}
}

func patient(id, scope string) consent.Principal {
	return consent.Principal{Kind: consent.Patient, Subject: "patient-" + id, Patient: id, Purpose: "PATRQT", ClientPurposes: []string{"PATRQT"}, Scopes: scopes(scope)}
}

// unguarded returns a requester whom the guard does not restrict, with the permissions of another requester on whole types,
// and its organisation, which determines the value sets.
func unguarded(p consent.Principal) consent.Principal {
	whole := make(consent.Scopes, len(p.Scopes))
	for i, s := range p.Scopes {
		whole[i] = consent.Scope{Level: s.Level, Type: s.Type, Permissions: s.Permissions}
	}
	organisation := p.Organisation
	if organisation == "" {
		organisation = "NONE" // the value sets of the operator alone, as for a patient
	}
	return consent.Principal{Kind: consent.System, Subject: "unguarded", Organisation: organisation, Scopes: whole, Patient: p.Patient}
}

func scopes(text string) consent.Scopes {
	s, err := consent.ParseScopes(text, r4.IsResource)
	if err != nil {
		panic(err)
	}
	return s
}
