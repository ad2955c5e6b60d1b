package rest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"carerecord/fhir/rest"
	"carerecord/store"
	"carerecord/store/pebble"
	"carerecord/store/storetest"
)

const sealedLetter = `{"resourceType":"DocumentReference","id":"g.d%d"%s,"status":"current","subject":{"reference":"Patient/g.%d"},"content":[{"attachment":{"url":"Binary/g.b"}}]}`

// restricted is a meta that hides a document from all but its feed.
const restricted = `,"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}`

// binaries is who can read Binary/g.b: the feed that wrote it, a person of its
// practice, and a person of a trust.
func binaries(h http.Handler) string {
	out := ""
	for _, who := range []string{"feed", "gp", "clerk"} {
		out += fmt.Sprint(send(h, "GET", "/Binary/g.b", "", "Authorization: "+who).Code, " ")
	}
	return strings.TrimSpace(out)
}

// onStores runs a test on the reference store and on the embedded engine.
func onStores(t *testing.T, f func(t *testing.T, db store.Store)) {
	t.Run("reference", func(t *testing.T) { f(t, storetest.NewReference(time.Now)) })
	t.Run("pebble", func(t *testing.T) {
		db, err := pebble.Open(pebble.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		f(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestBinaryFollowsItsDocument: a Binary is its source's alone until a document of
// that source attaches it; from that commit on it is seen by who sees the
// document, and no longer (REST-254, SMART-257).
func TestBinaryFollowsItsDocument(t *testing.T) {
	onStores(t, func(t *testing.T, db store.Store) {
		h := shared(t, db)
		write := func(method, path, body, who string, status int) {
			t.Helper()
			if w := send(h, method, path, body, "Authorization: "+who); w.Code != status {
				t.Fatalf("%s %s: got %d %s, want %d", method, path, w.Code, w.Body, status)
			}
		}
		holds := func(when, want string) {
			t.Helper()
			if got := binaries(h); got != want {
				t.Errorf("SMART-257: %s: feed, practice and trust are answered %s, want %s", when, got, want)
			}
		}
		write("PUT", "/Patient/g.1", registered(1), "feed", 201)
		write("PUT", "/Patient/g.2", registered(2), "feed", 201)
		if w := send(h, "PUT", "/Binary/g.b", "scan", "Authorization: feed", "Content-Type: text/plain"); w.Code != 201 {
			t.Fatalf("PUT of a Binary: %d %s", w.Code, w.Body)
		}
		holds("nothing attaches it", "200 200 404")
		write("PUT", "/DocumentReference/g.d1", fmt.Sprintf(sealedLetter, 1, "", 1), "feed", 201)
		holds("its document is there", "200 200 200")
		write("PUT", "/DocumentReference/g.d2", fmt.Sprintf(sealedLetter, 2, restricted, 2), "feed", 201)
		holds("a second document is restricted", "200 404 404")
		write("DELETE", "/DocumentReference/g.d2", "", "feed", 204)
		holds("the second document is gone", "200 200 200")
		write("POST", "/Consent", fmt.Sprintf(optOut, "g.1"), "gp", 201)
		holds("the patient opted out", "200 200 404")
		write("DELETE", "/DocumentReference/g.d1", "", "feed", 204)
		holds("its document is deleted", "200 200 404")
		write("PUT", "/DocumentReference/g.d1", strings.Replace(fmt.Sprintf(sealedLetter, 1, "", 2), "Binary/g.b", "Binary/g.other", 1), "feed", 201)
		holds("a document of another Binary", "200 200 404")
	})
}

// TestBinaryOfAnotherSource: a document of another organisation neither gives a
// Binary away nor hides it; a Binary that comes behind its document, in one
// transaction or later, has its owner at once (REST-254).
func TestBinaryOfAnotherSource(t *testing.T) {
	onStores(t, func(t *testing.T, db store.Store) {
		h := shared(t, db)
		for _, c := range [][3]string{
			{"/Patient/g.1", registered(1), "feed"},
			{"/DocumentReference/a.d1", strings.NewReplacer("g.d1", "a.d1").Replace(fmt.Sprintf(sealedLetter, 1, "", 1)), "other"},
			{"/Binary/g.b", `{"resourceType":"Binary","id":"g.b","contentType":"text/plain","data":"aGk="}`, "feed"},
		} {
			if w := send(h, "PUT", c[0], c[1], "Authorization: "+c[2]); w.Code != 201 {
				t.Fatalf("PUT %s: %d %s", c[0], w.Code, w.Body)
			}
		}
		if got := binaries(h); got != "200 200 404" {
			t.Errorf("REST-254: with a document of another source: %s", got)
		}
		entry := func(typ, body string) string {
			return `{"resource":` + body + `,"request":{"method":"PUT","url":"` + typ + `"}}`
		}
		bundle := `{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join([]string{
			entry("Binary/g.x", `{"resourceType":"Binary","id":"g.x","contentType":"text/plain","data":"aGk="}`),
			entry("DocumentReference/g.dx", strings.NewReplacer("g.d1", "g.dx", "g.b", "g.x").Replace(fmt.Sprintf(sealedLetter, 1, "", 1))),
			entry("DocumentReference/g.dy", strings.NewReplacer("g.d1", "g.dy", "g.b", "g.y").Replace(fmt.Sprintf(sealedLetter, 1, "", 1))),
		}, ",") + `]}`
		if w := send(h, "POST", "", bundle, "Authorization: feed"); w.Code != 200 {
			t.Fatalf("transaction: %d %s", w.Code, w.Body)
		}
		if w := send(h, "PUT", "/Binary/g.y", "later", "Authorization: feed", "Content-Type: text/plain"); w.Code != 201 {
			t.Fatalf("PUT of a Binary: %d %s", w.Code, w.Body)
		}
		for _, id := range []string{"g.x", "g.y"} {
			if w := send(h, "GET", "/Binary/"+id, "", "Authorization: clerk"); w.Code != 200 {
				t.Errorf("REST-254: Binary/%s, of a document in the same transaction or before: %d %s", id, w.Code, w.Body)
			}
		}
	})
}

// TestSecurityContextGoverns: what securityContext names decides, whatever
// documents attach the Binary (REST-254).
func TestSecurityContextGoverns(t *testing.T) {
	h := shared(t, storetest.NewReference(time.Now))
	put := func(path, body string, header ...string) {
		t.Helper()
		if w := send(h, "PUT", path, body, append(header, "Authorization: feed")...); w.Code != 201 && w.Code != 200 {
			t.Fatalf("PUT %s: %d %s", path, w.Code, w.Body)
		}
	}
	put("/Patient/g.1", registered(1))
	put("/Binary/g.b", "scan", "Content-Type: text/plain", "X-Security-Context: DocumentReference/g.d2")
	put("/DocumentReference/g.d1", fmt.Sprintf(sealedLetter, 1, "", 1))
	if got := binaries(h); got != "200 200 404" {
		t.Errorf("REST-254: what it names is not there: %s", got)
	}
	put("/DocumentReference/g.d2", fmt.Sprintf(sealedLetter, 2, "", 1))
	put("/DocumentReference/g.d1", fmt.Sprintf(sealedLetter, 1, restricted, 1))
	if got := binaries(h); got != "200 200 200" {
		t.Errorf("REST-254: what it names is there, and another document is restricted: %s", got)
	}
	put("/DocumentReference/g.d2", fmt.Sprintf(sealedLetter, 2, restricted, 1))
	if got := binaries(h); got != "200 404 404" {
		t.Errorf("REST-254: what it names is restricted: %s", got)
	}
}

// TestBinarySize: bytes are counted while they are read (REST-253, LIM-002).
func TestBinarySize(t *testing.T) {
	h := handlerWith(t, storetest.NewReference(time.Now), func(c *rest.Config) { c.Limits.Resource = 5 << 10 })
	for size, want := range map[int]int{3072: 201, 3073: 413} {
		for _, typ := range []string{"application/octet-stream", "application/json"} {
			w := send(h, "POST", "/Binary", string(bytes.Repeat([]byte("7"), size)), "Content-Type: "+typ)
			if w.Code != want {
				t.Errorf("REST-253: %d bytes of %s: got %d %.200s, want %d", size, typ, w.Code, w.Body, want)
			}
		}
	}
}
