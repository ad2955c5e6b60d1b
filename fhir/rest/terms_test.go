package rest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"carerecord/store/storetest"
)

// TestWhoDefines: a canonical address means what the requester's own organisation stored under
// it. What another source stores changes no answer, be it newer or the only one (SRCH-051,
// SRCH-052; CON-1501).
func TestWhoDefines(t *testing.T) {
	h := shared(t, storetest.NewReference(time.Now))
	store := func(as, typ, id, members string) {
		t.Helper()
		if w := send(h, "PUT", "/"+typ+"/"+id, fmt.Sprintf(`{"resourceType":"%s","id":"%s","status":"active",%s}`, typ, id, members), "Authorization: "+as); w.Code >= 300 {
			t.Fatalf("%s/%s: %d %s", typ, id, w.Code, w.Body)
		}
	}
	set := func(as, id, url, version, code string) {
		t.Helper()
		store(as, "ValueSet", id, fmt.Sprintf(`"url":"%s","version":"%s","compose":{"include":[{"system":"s","concept":[{"code":"%s"}]}]}`, url, version, code))
	}
	system := func(as, id, parent, child string) {
		t.Helper()
		store(as, "CodeSystem", id, fmt.Sprintf(`"url":"s","content":"complete","concept":[{"code":"%s","concept":[{"code":"%s"}]}]`, parent, child))
	}
	if w := send(h, "PUT", "/Patient/g.1", registered(1), "Authorization: feed"); w.Code != 201 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	for i, code := range []string{"c1", "c2", "c3"} {
		for _, as := range []string{"feed g", "other a"} {
			who, prefix, _ := strings.Cut(as, " ")
			id := fmt.Sprintf("%s.o%d", prefix, i+1)
			send(h, "PUT", "/Observation/"+id, fmt.Sprintf(`{"resourceType":"Observation","id":"%s","status":"final","code":{"coding":[{"system":"s","code":"%s"}]},"subject":{"reference":"Patient/g.1"}}`, id, code), "Authorization: "+who)
		}
	}
	status := "http://hl7.org/fhir/ValueSet/observation-status"
	requested := []string{"code:in=http://v", "code:not-in=http://v", "code:in=http://v%7C1.9", "code:below=s%7Cc1", "code:above=s%7Cc2", "status:in=" + status, "code:in=http://nested", "_filter=code%20in%20http://v", "code:in=" + status}
	answers := func(as string) (out []string) {
		for _, q := range requested {
			w := send(h, "GET", "/Observation?_sort=_id&"+q, "", "Authorization: "+as)
			list, _ := ids(w.Body.String())
			out = append(out, fmt.Sprint(q, " ", w.Code, " ", list))
		}
		return out
	}
	set("feed", "g.v1", "http://v", "1.9", "c1")
	set("feed", "g.v2", "http://v", "1.10", "c2")
	set("feed", "g.v3", "http://v", "1.10", "c3") // of one version the least id
	store("feed", "ValueSet", "g.n", `"url":"http://nested","compose":{"include":[{"valueSet":["http://v"]}]}`)
	system("feed", "g.s", "c1", "c2")
	before := map[string][]string{}
	for _, who := range []string{"feed", "gp", "other", "clerk"} {
		before[who] = answers(who)
	}
	for _, who := range []string{"feed", "gp"} {
		for i, want := range map[int]string{0: "o2", 2: "o1", 3: "o1,o2", 4: "o1,o2", 6: "o2", 7: "o2"} {
			for _, id := range strings.Split(want, ",") {
				if got := before[who][i]; !strings.Contains(got, " 200 ") || !strings.Contains(got, "g."+id) {
					t.Errorf("SRCH-051: %s: got %s, want g.%s by the own definition of the greatest version", who, got, want)
				}
			}
		}
	}
	for i, q := range requested[:5] { // the other organisation has no definition
		for _, who := range []string{"other", "clerk"} {
			if got := before[who][i]; !strings.Contains(got, " 400 ") {
				t.Errorf("SRCH-051: %s of an organisation that defines nothing: %s: got %s, want 400", who, q, got)
			}
		}
	}
	// A's own definitions, later and of greater versions, one of a value set of the standard.
	set("other", "a.v1", "http://v", "1.9", "c3")
	set("other", "a.v2", "http://v", "99", "c3")
	set("other", "a.n", "http://nested", "99", "c1")
	set("other", "a.s", status, "99", "c1")
	system("other", "a.s", "c1", "c3")
	for _, who := range []string{"feed", "gp"} {
		if got := answers(who); !slices.Equal(got, before[who]) {
			t.Errorf("SRCH-051: what another source stores changes what %s finds: got\n%s\nwant\n%s", who, strings.Join(got, "\n"), strings.Join(before[who], "\n"))
		}
	}
	for _, who := range []string{"other", "clerk"} {
		got := answers(who)
		for i, want := range map[int]string{0: "a.o3", 3: "a.o3", 6: "a.o1", 8: "a.o1"} {
			if !strings.Contains(got[i], want) || strings.Contains(got[i], "o2") {
				t.Errorf("SRCH-051: %s: got %s, want %s by the own definition", who, got[i], want)
			}
		}
	}
}
