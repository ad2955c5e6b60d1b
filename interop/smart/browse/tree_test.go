package browse_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/interop/pages"
	"carerecord/interop/smart/browse"
)

const (
	base   = "https://record.example/fhir"
	prefix = "/browse/patient"
)

// TestLinks: what names a resource of this server is a link, and nothing else is.
func TestLinks(t *testing.T) {
	for value, want := range map[string]string{
		"Patient/1": prefix + "/Patient/1", "Patient/1/_history/2": prefix + "/Patient/1/_history/2", base + "/Patient/1": prefix + "/Patient/1", base + "/Patient?_id=1&x=<b>": prefix + "/Patient?_id=1&x=%3Cb%3E",
		base: "", base + "/": "", base + "//evil.example": "", base + "/../my/apps": "", base + ".evil.example/Patient/1": "", base + "/Patient/1#x": "", base + "/javascript:alert(1)": "", "https://evil.example/Patient/1": "",
		"//evil.example/Patient/1": "", "Nothing/1": "", "patient/1": "", "Patient": "", "Patient/": "", "Patient/../x": "", "Patient/1/x": "", "Patient/1?x": "", "#1": "", "urn:uuid:1": "", "javascript:alert(1)": "", " Patient/1": "", "": "",
	} {
		for _, name := range []string{"reference", "fullUrl", "url"} {
			got := browse.Tree([]byte(`{"`+name+`":`+quoted(value)+`}`), base, prefix)
			if len(got) != 1 || got[0].Link != want || got[0].Text != value {
				t.Errorf("%s %q: got %+v, want the link %q", name, value, got, want)
			}
		}
		if got := browse.Tree([]byte(`{"text":`+quoted(value)+`}`), base, prefix); got[0].Link != "" {
			t.Errorf("a text %q is a link to %q", value, got[0].Link)
		}
	}
}

func quoted(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

// TestTree: members keep their order, arrays have numbers, a resource leads to itself, and large or deep answers are bounded.
func TestTree(t *testing.T) {
	got := browse.Tree([]byte(`{"b":1.50,"a":[true,null,{"resourceType":"Patient","id":"1"}]}`), base, prefix)
	if len(got) != 2 || got[0].Name != "b" || got[0].Text != "1.50" || got[0].Folds || !got[1].Folds || len(got[1].Children) != 3 {
		t.Fatalf("got %+v", got)
	}
	list := got[1].Children
	if list[0].Text != "true" || list[1].Text != "null" || list[2].Name != "2" || list[2].Link != prefix+"/Patient/1" || list[2].Text != "Patient/1" {
		t.Errorf("got %+v", list)
	}
	deep := browse.Tree([]byte(strings.Repeat(`{"a":`, 5000)+"1"+strings.Repeat("}", 5000)), base, prefix)
	if n := depth(deep); n > 50 {
		t.Errorf("a deep answer has the depth %d", n)
	}
	if n := len(browse.Tree([]byte("["+strings.Repeat("1,", 50_000)+"1]"), base, prefix)); n > 20_000 {
		t.Errorf("a long answer has %d members", n)
	}
}

func depth(nodes []pages.BrowseNode) (most int) {
	for _, n := range nodes {
		most = max(most, 1+depth(n.Children))
	}
	return most
}

// FuzzTree: whatever an answer is, each link is below the prefix and no other site's.
func FuzzTree(f *testing.F) {
	for _, seed := range []string{`{"reference":"Patient/1"}`, `{"url":"` + base + `/Patient?x=1"}`, `[{"fullUrl":"` + base + `//x"}]`, `{"url":"` + base + `/\\evil"}`, `{`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var check func([]pages.BrowseNode)
		check = func(nodes []pages.BrowseNode) {
			for _, n := range nodes {
				if n.Link != "" && (!strings.HasPrefix(n.Link, prefix+"/") || strings.HasPrefix(n.Link, prefix+"//") || strings.Contains(n.Link, "..") || strings.ContainsAny(n.Link, "\r\n\"<>\\ ")) {
					t.Errorf("%q has the link %q", body, n.Link)
				}
				check(n.Children)
			}
		}
		check(browse.Tree(body, base, prefix))
	})
}

// TestReader: the token of a request works while the request runs and for nobody else; a long answer is an error.
func TestReader(t *testing.T) {
	var r browse.Reader
	used, long := "", false
	r = browse.Reader{Base: base, FHIR: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		used = q.Header.Get("Authorization")
		p, ok := r.Principal(q.Header)
		if !ok || p.Subject != "ann" || q.Method != http.MethodGet || len(q.Cookies()) != 0 || q.URL.Path != "/fhir/Patient" || q.URL.RawQuery != "_id=1" {
			t.Errorf("got %+v, %v for %s %s", p, ok, q.Method, q.URL)
		}
		if long {
			_, _ = w.Write(make([]byte, 5<<20))
		}
		w.WriteHeader(http.StatusTeapot)
	})}
	of := httptest.NewRequest(http.MethodGet, "https://record.example/browse/patient/Patient", nil)
	of.AddCookie(&http.Cookie{Name: "carerecord-patient", Value: "x"})
	got, err := r.Get(context.Background(), of, consent.Principal{Subject: "ann"}, "/Patient", "_id=1")
	if err != nil || got.Status != http.StatusTeapot {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, h := range []http.Header{{"Authorization": {used}}, {"Authorization": {"Bearer "}}, {"Authorization": {used, used}}, {}} {
		if p, ok := r.Principal(h); ok {
			t.Errorf("after the request %v is %+v", h, p)
		}
	}
	long = true
	if _, err := r.Get(context.Background(), of, consent.Principal{Subject: "ann"}, "/Patient", "_id=1"); !errors.Is(err, browse.ErrLarge) {
		t.Errorf("a long answer: got %v", err)
	}
}
