package fault

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/conformance/servertest"
	"carerecord/conformance/wait"
	"carerecord/consent"
	"carerecord/fhir/rest"
	"carerecord/store"
)

const address = servertest.URL

// deadline is the time limit of a request. After it the server learns the outcome of a commit, first from the
// commit and then from the store, and records the answer; each step has a limit of its own. longestAnswer is
// the sum, with a margin for a busy machine.
const (
	deadline      = 2 * time.Second
	recorded      = time.Second
	longestAnswer = 2*deadline + recorded + 10*time.Second
)

// patience is how long a test waits for a condition, on a busy machine.
const patience = time.Minute

// site serves an engine to a source system, with an audit trail.
type site struct {
	t        *testing.T
	handler  http.Handler
	deadline time.Duration

	mu       sync.Mutex
	versions map[string]string // version that was acknowledged last, by id; "" where the last write is in doubt
	answers  map[answer]int    // how many of each since forget
	created  map[string]bool   // whether a create was acknowledged, by the name that it alone has
}

// answer is the key by which answers are counted.
type answer struct {
	method string
	status int
}

// serve makes a site over an engine.
func serve(t *testing.T, e store.Engine, deadline time.Duration) *site {
	t.Helper()
	source := servertest.SourceSystem(t, "G")
	server := servertest.Open(t, servertest.Config{Store: e, State: e, Audit: e, AuditTimeout: recorded, Policy: servertest.Policy(false, "G"), REST: func(c *rest.Config) {
		c.Limits.Deadline, c.Limits.BundleDeadline = deadline, deadline
		c.Verify = func(context.Context, http.Header, string) (consent.Principal, error) { return source, nil }
	}})
	return &site{t: t, handler: server.Handler(), deadline: deadline, versions: map[string]string{}, answers: map[answer]int{}, created: map[string]bool{}}
}

// over serves another engine that holds the same record, to clients that have time.
func (s *site) over(e store.Engine) *site {
	s.t.Helper()
	next := serve(s.t, e, patience)
	next.versions, next.created = s.versions, s.created
	return next
}

// send sends a request and checks the properties that every answer has.
func (s *site) send(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, address+"/fhir"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/fhir+json")
	}
	w := httptest.NewRecorder()
	began := time.Now()
	s.handler.ServeHTTP(w, r)
	if took := time.Since(began); took > s.deadline+longestAnswer {
		s.t.Errorf("LIM-005: %s %s took %s, the deadline is %s and nothing takes %s more", method, path, took, s.deadline, longestAnswer)
	}
	// Only a write that may be stored names no time after which to repeat it (decision 024).
	mayBeStored := gjson.Get(w.Body.String(), "issue.0.details.coding.0.code").Str == consent.MayBeStored
	repeat := w.Header().Get("Retry-After") != ""
	if w.Code == 503 && (repeat == mayBeStored || mayBeStored && method == "GET" || w.Header().Get("ETag") != "" || gjson.Get(w.Body.String(), "resourceType").Str != "OperationOutcome") {
		s.t.Errorf("LIM-008: %s %s: a 503 with %v %s", method, path, w.Header(), w.Body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[answer{method, w.Code}]++
	return w
}

// forget counts answers from now on.
func (s *site) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = map[answer]int{}
}

// counted returns how many answers of some statuses a method has had since forget, and
// how many of any.
func (s *site) counted(method string, statuses ...int) (of, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a, n := range s.answers {
		if a.method != method {
			continue
		}
		if all += n; slices.Contains(statuses, a.status) {
			of += n
		}
	}
	return of, all
}

// await waits until each of some methods has been answered a few times with one of some
// statuses since forget. What happened before is not waited for.
func (s *site) await(methods []string, n int, statuses ...int) {
	s.t.Helper()
	missing := 0
	if !wait.For(patience, func() bool {
		missing = slices.IndexFunc(methods, func(m string) bool { of, _ := s.counted(m, statuses...); return of < n })
		return missing < 0
	}) {
		of, all := s.counted(methods[missing], statuses...)
		s.t.Errorf("after %s %d of %d answers to %s have one of the statuses %v, want %d", patience, of, all, methods[missing], statuses, n)
	}
}

// writes and everything are methods that work sends.
var (
	writes     = []string{"PUT", "POST"}
	everything = []string{"PUT", "POST", "GET"}
)

func patient(id string, n int) string {
	return fmt.Sprintf(`{"resourceType":"Patient","id":"%s","name":[{"family":"Ely %d"}]}`, id, n)
}

// put writes a Patient and records the acknowledgement.
func (s *site) put(id string, n int) {
	w := s.send("PUT", "/Patient/"+id, patient(id, n))
	s.mu.Lock()
	defer s.mu.Unlock()
	switch w.Code {
	case 200, 201:
		s.versions[id] = gjson.Get(w.Body.String(), "meta.versionId").Str
		if s.versions[id] == "" {
			s.t.Errorf("PUT %s: %d %s", id, w.Code, w.Body)
		}
	case 503:
		s.versions[id] += "?" // that version, or the next
	default:
		s.t.Errorf("PUT %s: got %d %s, want 200, 201 or 503", id, w.Code, w.Body)
	}
}

// create makes a Patient with a unique name, alone or in a transaction, and records whether that was
// acknowledged. It does not repeat the request.
func (s *site) create(family string, transaction bool) {
	path, body, done := "/Patient", fmt.Sprintf(`{"resourceType":"Patient","name":[{"family":"%s"}]}`, family), 201
	if transaction {
		path, done = "", 200
		body = fmt.Sprintf(`{"resourceType":"Bundle","type":"transaction","entry":[{"resource":%s,"request":{"method":"POST","url":"Patient"}}]}`, body)
	}
	w := s.send("POST", path, body)
	if w.Code != done && w.Code != 503 {
		s.t.Errorf("POST %s: got %d %s, want %d or 503", path, w.Code, w.Body, done)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.created[family] = w.Code == done
}

// checkCreated checks how many Patients have each created name: one if the create was acknowledged, and never
// two. Every answer must be there. It samples the acknowledged ones.
func (s *site) checkCreated() {
	s.t.Helper()
	s.mu.Lock()
	created := maps.Clone(s.created)
	s.mu.Unlock()
	acknowledged := 0
	for family, done := range created {
		if done {
			if acknowledged++; acknowledged > 200 {
				continue
			}
		}
		w := s.read("/Patient?_summary=count&family:exact="+family, true)
		n := gjson.Get(w.Body.String(), "total").Int()
		if w.Code != 200 || n > 1 || done && n != 1 {
			s.t.Errorf("%s was created %d times, acknowledged: %t: %d %s", family, n, done, w.Code, w.Body)
		}
	}
	s.t.Logf("%d of %d creates were acknowledged", acknowledged, len(created))
}

// read sends a GET. With always it repeats the request until there is an answer, since a busy machine may
// exceed the deadline.
func (s *site) read(path string, always bool) *httptest.ResponseRecorder {
	for until := time.Now().Add(patience); ; {
		w := s.send("GET", path, "")
		late := w.Code == 503 && gjson.Get(w.Body.String(), "issue.0.code").Str == "timeout"
		if !always || !late || time.Now().After(until) {
			return w
		}
	}
}

// checkAll reads all acknowledged resources, and some that were never written. With always every answer must
// be there; otherwise 503 is accepted.
func (s *site) checkAll(always bool) {
	s.t.Helper()
	s.mu.Lock()
	versions := map[string]string{}
	for id, v := range s.versions {
		versions[id] = v
	}
	s.mu.Unlock()
	stand := 0
	for id, v := range versions {
		known := strings.TrimRight(v, "?")
		if known != "" {
			stand++
		}
		w := s.read("/Patient/"+id, always)
		got := gjson.Get(w.Body.String(), "meta.versionId").Str
		switch {
		case w.Code == 503 && !always:
		case w.Code == 200 && (got == known || newer(got, known)):
		case w.Code == 404 && known == "":
		default:
			s.t.Errorf("GET %s, of which %q was acknowledged: got %d %s", id, v, w.Code, w.Body)
		}
	}
	for path, right := range map[string]func(*httptest.ResponseRecorder) bool{
		"/Patient/g.unheard-of": func(w *httptest.ResponseRecorder) bool { return w.Code == 404 },
		"/Patient?_summary=count": func(w *httptest.ResponseRecorder) bool {
			return w.Code == 200 && int(gjson.Get(w.Body.String(), "total").Int()) >= stand
		},
		"/Patient?family=ely&_count=1": func(w *httptest.ResponseRecorder) bool {
			return w.Code == 200 && (stand == 0 || gjson.Get(w.Body.String(), "entry.#").Int() > 0)
		},
		"/Patient/_history?_count=1": func(w *httptest.ResponseRecorder) bool {
			return w.Code == 200 && (stand == 0 || gjson.Get(w.Body.String(), "entry.#").Int() > 0)
		},
	} {
		if w := s.read(path, always); !right(w) && (w.Code != 503 || always) {
			s.t.Errorf("GET %s with %d Patients acknowledged: got %d %s", path, stand, w.Code, w.Body)
		}
	}
}

// newer reports whether a version is later than another: the write of it was
// acknowledged since, or is one of those in doubt.
func newer(got, than string) bool {
	a, err := strconv.Atoi(got)
	b, _ := strconv.Atoi(than) // none is 0
	return err == nil && a > b
}

// work writes and reads concurrently until stop is called.
func (s *site) work() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for w := range 4 {
		group.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				s.put(fmt.Sprintf("g.%d-%d", w, n%5), n)
			}
		})
	}
	for w := range 2 {
		group.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				s.create(fmt.Sprintf("made-%d-%d", w, n), w == 1)
			}
		})
	}
	group.Go(func() {
		for ctx.Err() == nil {
			s.checkAll(false)
		}
	})
	return func() {
		cancel()
		group.Wait()
	}
}
