package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/rest"
	"carerecord/store"
	"carerecord/store/storetest"
)

// shared serves the store under a real guard. The header "Authorization: feed",
// "gp", "clerk" or "writer" says who asks: the feed of practice G and a person
// of it who records opt-outs, a person of trust A, and a feed of G that may
// write and not read. "doctor" is a person of A who may break the glass, and
// scopes in its place make a clerk with these, with the patient in context of
// the header "X-Test-Context" and the fhirUser of "X-Test-User".
func shared(t testing.TB, db store.Store) http.Handler {
	t.Helper()
	x, err := index.New(index.Config{Base: site + "/fhir"})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := consent.Open(context.Background(), consent.Config{Store: db, Index: x, PublicURL: site,
		Policy: &policy.Folder{Agreement: policy.Agreement{Organisations: []string{"A", "G"}, Relationship: policy.RelationshipAssumed}, Identity: policy.DefaultIdentity("A", "G")}})
	if err != nil {
		t.Fatal(err)
	}
	scopes := func(text string) consent.Scopes {
		s, err := consent.ParseScopes(text, func(string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	feed := consent.Principal{Kind: consent.SourceSystem, Subject: "feed", Organisation: "G", Purpose: "TREAT", ClientPurposes: []string{"TREAT"},
		Flow: consent.FlowIngest, IDPrefix: "g.", Scopes: scopes("system/*.cruds")}
	person := consent.Principal{Kind: consent.Staff, Subject: "p", Organisation: "A", Role: "R", Activities: []string{policy.ActivityRead},
		Purpose: "TREAT", ClientPurposes: []string{"TREAT"}, Scopes: scopes("user/*.cruds")}
	callers := map[string]consent.Principal{"feed": feed, "gp": person, "clerk": person, "writer": feed}
	gp, writer := callers["gp"], callers["writer"]
	gp.Organisation, gp.Activities = "G", []string{policy.ActivityRead, policy.ActivityOptOut}
	writer.Scopes = scopes("system/*.cud")
	doctor := person
	doctor.Activities = []string{policy.ActivityRead, policy.ActivityBreakGlass}
	region := feed // of synthetic patients
	region.IDPrefix = "x"
	other := feed // of trust A
	other.Subject, other.Organisation, other.IDPrefix = "other", "A", "a."
	callers["region"], callers["other"] = region, other
	callers["gp"], callers["writer"], callers["doctor"] = gp, writer, doctor
	return handlerWith(t, db, func(c *rest.Config) {
		c.Guard, c.Index, c.Search.Index, c.Unguarded = guard, x, x, false
		c.Verify = func(_ context.Context, h http.Header, _ string) (consent.Principal, error) {
			p, ok := callers[h.Get("Authorization")]
			if who := h.Get("Authorization"); strings.HasPrefix(who, "user/") || strings.HasPrefix(who, "patient/") {
				p, ok = person, true
				p.Scopes, p.Context.Patient = scopes(who), h.Get("X-Test-Context")
				p.FHIRUser.Type, p.FHIRUser.ID, _ = strings.Cut(h.Get("X-Test-User"), "/")
			} else if strings.HasPrefix(who, "system/") {
				p, ok = feed, true
				p.Scopes = scopes(who)
			}
			if !ok {
				return p, fhir.Fault(401, "login", "Nobody.")
			}
			return p, nil
		}
	})
}

// ids are the matches of a searchset, and next the path of its next page.
func ids(body string) (list []string, next string) {
	for _, e := range gjson.Get(body, `entry.#(search.mode=="match")#.resource.id`).Array() {
		list = append(list, e.Str)
	}
	return list, strings.TrimPrefix(gjson.Get(body, `link.#(relation=="next").url`).Str, site+"/fhir")
}

// registered is a Patient of practice G, whose people may record an opt-out.
func registered(i int) string {
	return fmt.Sprintf(`{"resourceType":"Patient","id":"g.%d","generalPractitioner":[{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"G"}}]}`, i)
}

const optOut = `{"resourceType":"Consent","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},` +
	`"category":[{"coding":[{"system":"http://snomed.info/sct","code":"416409005"}]}],"patient":{"reference":"Patient/%s"},` +
	`"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTOUT"}]}}`

// TestConsentBetweenPages: a patient opts out between two pages of somebody's
// search. From the next page on nothing of the patient is shown, forwards,
// backwards or to who knows the ETag, and nothing else is missing (SRCH-205,
// VIS-014).
func TestConsentBetweenPages(t *testing.T) {
	for _, sorted := range []string{"", "&_sort=-date"} {
		h := shared(t, storetest.NewReference(time.Now))
		for i := range 8 {
			for path, body := range map[string]string{
				fmt.Sprintf("/Patient/g.%d", i): registered(i),
				fmt.Sprintf("/Observation/g.o%d", i): fmt.Sprintf(`{"resourceType":"Observation","id":"g.o%d","status":"final","code":{"coding":[{"system":"s","code":"c"}]},`+
					`"subject":{"reference":"Patient/g.%d"},"effectiveDateTime":"2026-01-0%[1]d"}`, i, i),
			} {
				if w := send(h, "PUT", path, strings.ReplaceAll(body, "2026-01-00", "2026-01-09"), "Authorization: feed"); w.Code != 201 {
					t.Fatalf("PUT %s: got %d %s", path, w.Code, w.Body)
				}
			}
		}
		walk := func(path string) (all []string) {
			for path != "" {
				var page []string
				page, path = ids(send(h, "GET", path, "", "Authorization: clerk").Body.String())
				all = append(all, page...)
			}
			return all
		}
		first := "/Observation?code=s%7Cc&_count=3" + sorted
		before := walk(first)
		if len(before) != 8 {
			t.Fatalf("got the rows %v, want 8", before)
		}
		one, second := ids(send(h, "GET", first, "", "Authorization: clerk").Body.String())
		two, third := ids(send(h, "GET", second, "", "Authorization: clerk").Body.String())
		seen, next := one[0], two[0] // one row of a page that was shown, and one of the page that comes
		for _, id := range []string{seen, next} {
			if w := send(h, "GET", "/Observation/"+id, "", "Authorization: clerk", `If-None-Match: W/"1"`); w.Code != 304 {
				t.Fatalf("GET %s with its ETag: got %d", id, w.Code)
			}
			patient := strings.Replace(id, "g.o", "g.", 1)
			if w := send(h, "POST", "/Consent", fmt.Sprintf(optOut, patient), "Authorization: gp"); w.Code != 201 {
				t.Fatalf("opt-out of %s: got %d %s", patient, w.Code, w.Body)
			}
		}
		after := append(append([]string{}, two[1:]...), walk(third)...)
		if got, want := strings.Join(walk(second), " "), strings.Join(before[4:], " "); got != want || strings.Join(after, " ") != want {
			t.Errorf("SRCH-205: sorted %q: after the opt-outs of %s and %s the pages hold %q, want %q", sorted, seen, next, got, want)
		}
		page := send(h, "GET", third, "", "Authorization: clerk").Body.String()
		back := strings.TrimPrefix(gjson.Get(page, `link.#(relation=="previous").url`).Str, site+"/fhir")
		for back != "" {
			body := send(h, "GET", back, "", "Authorization: clerk").Body.String()
			if strings.Contains(body, `"`+seen+`"`) || strings.Contains(body, `"`+next+`"`) {
				t.Errorf("SRCH-205: sorted %q: going back shows a hidden row: %s", sorted, body)
			}
			back = strings.TrimPrefix(gjson.Get(body, `link.#(relation=="previous").url`).Str, site+"/fhir")
		}
		for _, id := range []string{seen, next} {
			never := send(h, "GET", "/Observation/g.never", "", "Authorization: clerk", `If-None-Match: W/"1"`)
			if w := send(h, "GET", "/Observation/"+id, "", "Authorization: clerk", `If-None-Match: W/"1"`); w.Code != 404 || w.Header().Get("ETag") != "" || w.Body.String() != never.Body.String() {
				t.Errorf("VIS-014: GET %s with the ETag of a state that is hidden: got %d %v %s, want 404 as if it never was", id, w.Code, w.Header(), w.Body)
			}
		}
	}
}

// TestHistoryBetweenPages is the same for the pages of a history (VIS-014).
func TestHistoryBetweenPages(t *testing.T) {
	h := shared(t, storetest.NewReference(time.Now))
	for i := range 6 {
		send(h, "PUT", fmt.Sprintf("/Patient/g.%d", i), registered(i), "Authorization: feed")
	}
	page := send(h, "GET", "/Patient/_history?_count=2", "", "Authorization: clerk").Body.String()
	if n := gjson.Get(page, "entry.#").Int(); n != 2 {
		t.Fatalf("got %d entries, want 2: %s", n, page)
	}
	if w := send(h, "POST", "/Consent", fmt.Sprintf(optOut, "g.2"), "Authorization: gp"); w.Code != 201 {
		t.Fatalf("opt-out: got %d %s", w.Code, w.Body)
	}
	var rest []string
	for _, next := ids(page); next != ""; _, next = ids(page) {
		page = send(h, "GET", next, "", "Authorization: clerk").Body.String()
		for _, e := range gjson.Get(page, "entry.#.resource.id").Array() {
			rest = append(rest, e.Str)
		}
	}
	if got := strings.Join(rest, " "); got != "g.3 g.1 g.0" {
		t.Errorf("VIS-014: after the opt-out of g.2 the pages hold %q, want g.3 g.1 g.0", got)
	}
}

// TestPagesByPost: the token of a page link works in the form of a POST too
// (SRCH-208), for each kind of search.
func TestPagesByPost(t *testing.T) {
	h := open(t)
	send(h, "PUT", "/Patient/1", `{"resourceType":"Patient","id":"1"}`)
	for i := range 7 {
		send(h, "PUT", fmt.Sprintf("/Observation/%d", i), fmt.Sprintf(`{"resourceType":"Observation","id":"%d","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/1"}}`, i))
	}
	for path, query := range map[string]string{"/Observation": "status=final&_count=3", "": "_type=Observation,Patient&_count=3", "/Patient/1/Observation": "_count=3"} {
		got, pages := []string{}, 0
		for form := query; form != ""; pages++ {
			w := send(h, "POST", path+"/_search", form, "Content-Type: application/x-www-form-urlencoded")
			if w.Code != 200 {
				t.Fatalf("SRCH-208: POST %s/_search %s: got %d %s", path, form, w.Code, w.Body)
			}
			page, next := ids(w.Body.String())
			got = append(got, page...)
			_, form, _ = strings.Cut(next, "?")
		}
		var want []string
		for next := path + "?" + query; next != ""; {
			var page []string
			page, next = ids(send(h, "GET", next, "").Body.String())
			want = append(want, page...)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") || pages != 3 {
			t.Errorf("SRCH-208: POST %s/_search: got %v on %d pages, want %v on 3 as by GET", path, got, pages, want)
		}
	}
	if w := send(h, "POST", "/Observation/_search", url.Values{"_page": {"x"}}.Encode(), "Content-Type: application/x-www-form-urlencoded"); w.Code != 400 {
		t.Errorf("SRCH-204: an altered token by POST: got %d %s, want 400", w.Code, w.Body)
	}
}

// TestWriteWithoutRead: who may write and not read gets no content back,
// whatever is preferred, in every form of writing (VIS-011, SMART-285).
func TestWriteWithoutRead(t *testing.T) {
	h := shared(t, storetest.NewReference(time.Now))
	const secret = "Ely"
	body := `{"resourceType":"Patient","id":"g.1","identifier":[{"system":"s","value":"1"}],"name":[{"family":"` + secret + `"}]}`
	patch := `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Patient.name.family"},{"name":"value","valueString":"Ely"}]}]}`
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"PUT", "/Patient/g.1", body, 201},
		{"PUT", "/Patient/g.1", strings.Replace(body, "{", `{"gender":"other",`, 1), 200},
		{"POST", "/Patient", body, 201},
		{"PATCH", "/Patient/g.1", patch, 200},
		{"POST", "/Patient/g.1/$meta-add", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"Ely"}]}}]}`, 0},
		{"POST", "", `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":` + strings.Replace(body, "{", `{"gender":"male",`, 1) + `,"request":{"method":"PUT","url":"Patient/g.1"}}]}`, 200},
		{"GET", "/Patient/g.1", "", 403},
		{"GET", "/Patient?name=Ely", "", 403},
		{"GET", "/Patient/g.1/_history", "", 403},
	} {
		w := send(h, c.method, c.path, c.body, "Authorization: writer", "Prefer: return=representation")
		if c.status > 0 && w.Code != c.status {
			t.Errorf("VIS-011: %s %s: got %d %s, want %d", c.method, c.path, w.Code, w.Body, c.status)
		}
		if strings.Contains(w.Body.String(), secret) {
			t.Errorf("VIS-011: %s %s: content came back: %s", c.method, c.path, w.Body)
		}
	}
	if w := send(h, "GET", "/Patient/g.1", "", "Authorization: feed"); !strings.Contains(w.Body.String(), `"male"`) {
		t.Errorf("VIS-011: the writes are not there: %d %s", w.Code, w.Body)
	}
	w := send(h, "PUT", "/Patient/g.1", strings.Replace(body, "{", `{"gender":"female",`, 1), "Authorization: feed", "Prefer: return=representation")
	if !strings.Contains(w.Body.String(), secret) {
		t.Errorf("VIS-011: who may read gets it back: got %s", w.Body)
	}
}
