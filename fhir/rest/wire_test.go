package rest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/fhir/cors"
	"carerecord/fhir/rest"
	"carerecord/store/storetest"
)

// TestPrettyPages: pages and histories stay indented behind their links, which say
// nothing of it, and answers say the same without white space; those over 4 MiB stay
// as they are (REST-038).
func TestPrettyPages(t *testing.T) {
	h := open(t)
	for i := range 3 {
		send(h, "PUT", fmt.Sprintf("/Flag/%d", i), fmt.Sprintf(`{"resourceType":"Flag","id":"%d","status":"active","code":{"text":"x"},"subject":{"reference":"Patient/1"}}`, i))
		send(h, "PUT", fmt.Sprintf("/Patient/%d", i), fmt.Sprintf(`{"resourceType":"Patient","id":"%d"}`, i))
	}
	for _, path := range []string{"/Patient?_count=1&_pretty=true", "/Patient/_history?_count=1&_pretty=true", "/Patient/1/$everything?_count=1&_pretty=true"} {
		for page := range 3 {
			body := send(h, "GET", path, "").Body.String()
			if !strings.HasPrefix(body, "{\n  \"resourceType\": \"Bundle\"") || !strings.HasSuffix(body, "\n}") {
				t.Errorf("REST-038: page %d of %s: got %.80q", page, path, body)
			}
			path = strings.TrimPrefix(gjson.Get(body, `link.#(relation=="next").url`).Str, site+"/fhir")
		}
	}
	plain, pretty := send(h, "GET", "/Patient/1", "").Body.Bytes(), send(h, "GET", "/Patient/1?_pretty=true", "").Body.Bytes()
	var compact bytes.Buffer
	if err := json.Compact(&compact, pretty); err != nil || !bytes.Equal(compact.Bytes(), plain) {
		t.Errorf("REST-038: got %s, %v, want %s indented", pretty, err, plain)
	}
	send(h, "PUT", "/Patient/long", `{"resourceType":"Patient","id":"long","name":[{"text":"x"}`+strings.Repeat(`,{"text":"`+strings.Repeat("long", 1<<17)+`"}`, 10)+`]}`)
	if w := send(h, "GET", "/Patient/long?_pretty=true", ""); w.Code != 200 || w.Body.Len() <= 4<<20 || strings.Contains(w.Body.String(), "\n") {
		t.Errorf("REST-038: an answer over 4 MiB is not indented: got %d, %d bytes, %.60q", w.Code, w.Body.Len(), w.Body)
	}
}

func zipped(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	io.WriteString(w, text)
	w.Close()
	return out.String()
}

// TestGzip: bodies may be packed both ways, and limits hold for what is
// unpacked (REST-022, LIM-002).
func TestGzip(t *testing.T) {
	h := open(t)
	long := `{"resourceType":"Patient","id":"1","name":[{"text":"` + strings.Repeat("long ", 500) + `"}]}`
	if w := send(h, "PUT", "/Patient/1", zipped(long), "Content-Encoding: gzip"); w.Code != 201 {
		t.Fatalf("REST-022: got %d %s, want 201", w.Code, w.Body)
	}
	plain := send(h, "GET", "/Patient/1", "").Body.String()
	w := send(h, "GET", "/Patient/1", "", "Accept-Encoding: br;q=0.5, gzip")
	z, err := gzip.NewReader(w.Body)
	if err != nil || w.Header().Get("Content-Encoding") != "gzip" {
		t.Fatalf("REST-022: got %v, %v", w.Header(), err)
	}
	if got, _ := io.ReadAll(z); string(got) != plain {
		t.Errorf("REST-022: unpacked, got %.80s, want %.80s", got, plain)
	}
	if w := send(h, "GET", "/Patient/1", "", "Accept-Encoding: gzip;q=0"); w.Header().Get("Content-Encoding") != "" {
		t.Errorf("REST-022: gzip;q=0 excludes it, got %v", w.Header())
	}
	for name, c := range map[string]struct {
		body, encoding string
		status         int
	}{
		"another encoding": {"x", "br", 415}, "not what it says": {"{}", "gzip", 400},
		"a bomb": {zipped(`{"resourceType":"Patient","name":"` + strings.Repeat("x", 11<<20) + `"}`), "gzip", 413},
	} {
		if w := send(h, "PUT", "/Patient/1", c.body, "Content-Encoding: "+c.encoding); w.Code != c.status {
			t.Errorf("REST-022: %s: got %d %.200s, want %d", name, w.Code, w.Body, c.status)
		}
	}
}

// TestSimultaneousUpdates: of two writes with one If-Match exactly one
// succeeds; without it both do, as consecutive versions (REST-049). Conditional
// ones without a match leave one resource (REST-150). lastUpdated grows from
// version to version, whatever the clock does (REST-042).
func TestSimultaneousUpdates(t *testing.T) {
	h := open(t)
	send(h, "PUT", "/Patient/1", `{"resourceType":"Patient","id":"1"}`)
	race := func(n int, one func(i int) *httptest.ResponseRecorder) map[int]int {
		codes := map[int]int{}
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				w := one(i)
				mu.Lock()
				defer mu.Unlock()
				codes[w.Code]++
			})
		}
		all.Wait()
		return codes
	}
	put := func(i int, header ...string) *httptest.ResponseRecorder {
		return send(h, "PUT", "/Patient/1", fmt.Sprintf(`{"resourceType":"Patient","id":"1","name":[{"text":"%d"}]}`, i), header...)
	}
	if got := race(2, func(i int) *httptest.ResponseRecorder { return put(i, `If-Match: W/"1"`) }); got[200] != 1 || got[412] != 1 {
		t.Errorf("REST-049: with If-Match got %v, want one 200 and one 412", got)
	}
	if got := race(20, func(i int) *httptest.ResponseRecorder { return put(10 + i) }); got[200] != 20 {
		t.Errorf("REST-049: without If-Match got %v, want 20 times 200", got)
	}
	history := send(h, "GET", "/Patient/1/_history?_count=100", "").Body.String()
	entries := gjson.Get(history, "entry").Array()
	if len(entries) != 22 {
		t.Errorf("REST-049: got %d versions, want 22", len(entries))
	}
	for i := 1; i < len(entries); i++ {
		newer, older := entries[i-1].Get("resource.meta.lastUpdated").Str, entries[i].Get("resource.meta.lastUpdated").Str
		if newer <= older {
			t.Errorf("REST-042: version %d is of %s, the one before of %s", len(entries)-i+1, newer, older)
		}
	}
	got := race(20, func(i int) *httptest.ResponseRecorder {
		return send(h, "PUT", "/Patient?identifier=s%7C150", fmt.Sprintf(`{"resourceType":"Patient","identifier":[{"system":"s","value":"150"}],"name":[{"text":"%d"}]}`, i))
	})
	if got[201] != 1 || got[200] != 19 || gjson.Get(send(h, "GET", "/Patient?identifier=s%7C150", "").Body.String(), "total").Int() != 1 {
		t.Errorf("REST-150: got %v, want one 201 and 19 times 200, and one resource", got)
	}
}

// TestReadYourWrites: what is acknowledged is read and found at once (REST-115).
func TestReadYourWrites(t *testing.T) {
	h := open(t)
	for i := range 200 {
		id := fmt.Sprint(i)
		send(h, "PUT", "/Patient/"+id, `{"resourceType":"Patient","id":"`+id+`","identifier":[{"system":"s","value":"`+id+`"}]}`)
		if w := send(h, "GET", "/Patient/"+id, ""); w.Code != 200 {
			t.Fatalf("REST-115: read of %s: got %d", id, w.Code)
		}
		if w := send(h, "GET", "/Patient?identifier=s%7C"+id, ""); gjson.Get(w.Body.String(), "total").Int() != 1 {
			t.Fatalf("REST-115: search of %s: got %s", id, w.Body)
		}
	}
}

// TestHistoryWhileWriting: a walk over the pages of a history neither repeats
// nor drops an entry that was there when it began (REST-207), and a client that
// polls with _since misses no version (REST-208).
func TestHistoryWhileWriting(t *testing.T) {
	h := open(t)
	for i := range 30 {
		send(h, "PUT", fmt.Sprintf("/Patient/%d", i), fmt.Sprintf(`{"resourceType":"Patient","id":"%d"}`, i))
	}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	var mu sync.Mutex
	written := map[string]bool{}
	for n := range 8 {
		writers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprintf("w%d.%d", n, i)
				if w := send(h, "PUT", "/Patient/"+id, `{"resourceType":"Patient","id":"`+id+`"}`); w.Code == 201 {
					mu.Lock()
					written[id] = true
					mu.Unlock()
				}
			}
		})
	}
	page := func(path string) string {
		w := send(h, "GET", path, "")
		if w.Code != 200 {
			t.Errorf("GET %s: got %d %s, want 200", path, w.Code, w.Body)
		}
		return w.Body.String()
	}
	polled, since := map[string]bool{}, "2000-01-01T00:00:00Z"
	poll := func() {
		path := "/Patient/_history?_count=1000&_since=" + since
		newest := ""
		for path != "" {
			body := page(path)
			for _, e := range gjson.Get(body, "entry").Array() {
				polled[e.Get("resource.id").Str] = true
				if at := e.Get("resource.meta.lastUpdated").Str; at > newest {
					newest = at
				}
			}
			path = strings.TrimPrefix(gjson.Get(body, `link.#(relation=="next").url`).Str, site+"/fhir")
		}
		if newest != "" {
			since = newest
		}
	}
	seen := map[string]int{}
	for path := "/Patient/_history?_count=7"; path != ""; {
		body := page(path)
		for _, e := range gjson.Get(body, "entry").Array() {
			seen[e.Get("resource.id").Str]++
		}
		path = strings.TrimPrefix(gjson.Get(body, `link.#(relation=="next").url`).Str, site+"/fhir")
		poll()
	}
	for n := 0; n < 200; {
		poll()
		mu.Lock()
		n = len(written)
		mu.Unlock()
	}
	close(stop)
	writers.Wait()
	poll()
	for i := range 30 {
		if n := seen[fmt.Sprint(i)]; n != 1 {
			t.Errorf("REST-207: Patient/%d came %d times, want once", i, n)
		}
	}
	for id := range written {
		if !polled[id] {
			t.Errorf("REST-208: Patient/%s was never seen by the poller", id)
		}
	}
	t.Logf("%d versions written meanwhile", len(written))
}

// TestClientLimits: a client over its rate is told so, and when to come back (LIM-006).
func TestClientLimits(t *testing.T) {
	h := handlerWith(t, storetest.NewReference(time.Now), func(c *rest.Config) { c.Limits.ClientRate = 3 })
	codes := map[int]int{}
	var last *httptest.ResponseRecorder
	for range 20 {
		w := send(h, "GET", "/Patient/none", "")
		if codes[w.Code]++; w.Code == http.StatusTooManyRequests {
			last = w
		}
	}
	if codes[404] < 3 || codes[429] == 0 || last.Header().Get("Retry-After") == "" || gjson.Get(last.Body.String(), "issue.0.code").Str != "throttled" {
		t.Errorf("LIM-006: got %v", codes)
	}
	if w := send(h, "GET", "/metadata", ""); w.Code != 200 {
		t.Errorf("LIM-007: metadata answers %d, want 200 also for a client over its limit", w.Code)
	}
}

// TestCORS: pages of registered origins may call, and are told what they may
// send and read (REST-021).
func TestCORS(t *testing.T) {
	h := handlerWith(t, storetest.NewReference(time.Now), func(c *rest.Config) { c.CORS = &cors.Rules{Settings: []string{"https://app.test"}} })
	w := send(h, "OPTIONS", "/Patient/1", "", "Origin: https://app.test", "Access-Control-Request-Method: PUT")
	for _, name := range []string{"Authorization", "If-None-Exist", "If-Modified-Since", "X-Request-Id"} {
		if !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), name) {
			t.Errorf("REST-021: the preflight does not allow %s: %v", name, w.Header())
		}
	}
	if w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Origin") != "https://app.test" {
		t.Errorf("REST-021: preflight: got %d %v, want 204", w.Code, w.Header())
	}
	w = send(h, "GET", "/Patient/1", "", "Origin: https://app.test")
	if w.Header().Get("Access-Control-Allow-Origin") != "https://app.test" || !strings.Contains(w.Header().Get("Access-Control-Expose-Headers"), "ETag") {
		t.Errorf("REST-021: an answer for a page: got %v", w.Header())
	}
	if vary := strings.Join(w.Header().Values("Vary"), ", "); vary != "Accept, Authorization, Origin" {
		t.Errorf("REST-021: an answer to a registered page varies by %q", vary)
	}
	if w = send(h, "GET", "/Patient/1", "", "Origin: https://other.test"); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("REST-021: another origin is let in: %v", w.Header())
	}
}
