package rest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/store/storetest"
)

// TestScopedWrites: the old and the new version of a write satisfy the constraint of the scope; a resource outside of it is
// like an absent one; the answer has a body only if the scopes permit to read it.
func TestScopedWrites(t *testing.T) {
	const (
		labs      = "system/Observation.cruds?category=http://c|lab"
		jsonPatch = "Content-Type: application/json-patch+json"
		rep       = "Prefer: return=representation"
	)
	body := func(id, category, identifier string) string {
		return `{"resourceType":"Observation","id":"` + id + `","status":"final",` + category + `,"code":{"text":"z"},"identifier":[{"system":"s","value":"` + identifier + `"}]}`
	}
	to := func(code string) string {
		return `[{"op":"replace","path":"/category/0/coding/0/code","value":"` + code + `"},{"op":"replace","path":"/code/text","value":"z"}]`
	}
	test := `[{"op":"test","path":"/status","value":"final"},{"op":"replace","path":"/code/text","value":"y"}]`
	for _, c := range []struct {
		id, what, scopes, method, path, body string
		header                               []string
		status                               int
		has                                  string // in the body of the answer; - for an empty body
	}{
		{"SMART-284", "a create that satisfies the constraint", labs, "POST", "/Observation", body("x", lab, "1"), nil, 201, `"lab"`},
		{"SMART-284", "one that does not", labs, "POST", "/Observation", body("x", vital, "1"), nil, 403, "SCOPE_NOT_GRANTED"},
		{"SMART-284", "a type without c", "system/Observation.ruds", "POST", "/Observation", body("x", lab, "1"), nil, 403, "SCOPE_NOT_GRANTED"},
		{"SMART-285", "a create that may not be read", "system/Observation.c", "POST", "/Observation", body("x", lab, "1"), []string{rep}, 201, "-"},
		{"SMART-285", "one that may not be read by its constraint", "system/Observation.c system/Observation.r?category=vital", "POST", "/Observation", body("x", lab, "1"), []string{rep}, 201, "-"},
		{"SMART-285", "an update that may not be read by its constraint", "system/Observation.u?category=lab system/Observation.r?category=vital", "PUT", "/Observation/g.lab", body("g.lab", lab, "1"), []string{rep}, 200, "-"},
		{"SMART-286", "an update within the constraint", labs, "PUT", "/Observation/g.lab", body("g.lab", lab, "1"), nil, 200, `"lab"`},
		{"SMART-286", "an update that leaves it", labs, "PUT", "/Observation/g.lab", body("g.lab", vital, "1"), nil, 403, "SCOPE_NOT_GRANTED"},
		{"SMART-286", "an update from outside", labs, "PUT", "/Observation/g.vital", body("g.vital", lab, "1"), nil, 405, "The server assigns ids"},
		{"SMART-287", "an unknown id", labs, "PUT", "/Observation/g.new", body("g.new", lab, "1"), nil, 405, "The server assigns ids"},
		{"SMART-287", "an unknown id of another source", labs, "PUT", "/Observation/a.new", body("a.new", lab, "1"), nil, 405, "The server assigns ids"},
		{"SMART-287", "an unknown id without a constraint", "system/Observation.u", "PUT", "/Observation/g.new", body("g.new", lab, "1"), nil, 201, "-"},
		{"SMART-288", "a patch within the constraint", labs, "PATCH", "/Observation/g.lab", to("lab"), []string{jsonPatch}, 200, `"lab"`},
		{"SMART-288", "a patch that leaves it", labs, "PATCH", "/Observation/g.lab", to("vital"), []string{jsonPatch}, 403, "SCOPE_NOT_GRANTED"},
		{"SMART-288", "a patch from outside", labs, "PATCH", "/Observation/g.vital", to("lab"), []string{jsonPatch}, 404, "not-found"},
		{"SMART-288", "a patch of an unknown id", labs, "PATCH", "/Observation/g.new", to("lab"), []string{jsonPatch}, 404, "not-found"},
		{"SMART-288", "a patch that tests what may be read", "system/Observation.ru?category=lab", "PATCH", "/Observation/g.lab", test, []string{jsonPatch}, 200, `"y"`},
		{"SMART-288", "one that tests what may not be read", "system/Observation.u?category=lab system/Observation.r?category=vital", "PATCH", "/Observation/g.lab", test, []string{jsonPatch}, 404, "not-found"},
		{"SMART-289", "a delete within the constraint", labs, "DELETE", "/Observation/g.lab", "", nil, 204, "-"},
		{"SMART-289", "a delete outside is that of an unknown id", labs, "DELETE", "/Observation/g.vital", "", nil, 204, "-"},
		{"SMART-289", "a delete of an unknown id", labs, "DELETE", "/Observation/g.new", "", nil, 204, "-"},
		{"SMART-290", "a conditional create with a match", labs, "POST", "/Observation", body("x", lab, "7"), []string{"If-None-Exist: identifier=s|7"}, 200, `"g.seven"`},
		{"SMART-290", "one with a match outside", labs, "POST", "/Observation", body("x", lab, "8"), []string{"If-None-Exist: identifier=s|8"}, 201, `"lab"`},
		{"SMART-290", "one whose match may not be read", "system/Observation.cs system/Observation.r?category=vital", "POST", "/Observation", body("x", lab, "7"), []string{"If-None-Exist: identifier=s|7", rep}, 200, "-"},
		{"SMART-291", "a conditional update with a match", labs, "PUT", "/Observation?identifier=s|7", body("g.seven", lab, "7"), nil, 200, `"g.seven"`},
		{"SMART-291", "two matches, of which one is outside", labs, "PUT", "/Observation?identifier=s|9", body("g.nine", lab, "9"), nil, 200, `"g.nine"`},
		{"SMART-291", "two matches", "system/Observation.cruds", "PUT", "/Observation?identifier=s|9", body("g.nine", lab, "9"), nil, 412, "multiple-matches"},
		{"SMART-291", "a match of the search that may not be updated", "system/Observation.s system/Observation.u?category=lab", "PUT", "/Observation?identifier=s|8", body("g.eight", lab, "8"), nil, 405, "The server assigns ids"},
		{"SMART-291", "a conditional delete outside", labs, "DELETE", "/Observation?identifier=s|8", "", nil, 204, "-"},
		{"SMART-291", "a conditional patch outside", labs, "PATCH", "/Observation?identifier=s|8", to("lab"), []string{jsonPatch}, 404, "not-found"},
		{"SMART-299", "labels of what is outside", labs, "POST", "/Observation/g.vital/$meta-add", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"t"}]}}]}`, nil, 404, "not-found"},
	} {
		h := scopedRecord(t, storetest.NewReference(time.Now))
		for _, more := range []string{body("g.seven", lab, "7"), body("g.eight", vital, "8"), body("g.nine", lab, "9"), body("g.nine2", vital, "9")} {
			if w := send(h, "PUT", "/Observation/"+gjson.Get(more, "id").Str, strings.Replace(more, `"z"`, `"x"`, 1), "Authorization: feed"); w.Code != 201 {
				t.Fatalf("%s: %d %s", more, w.Code, w.Body)
			}
		}
		before := send(h, "GET", "/Observation/_history", "", "Authorization: feed").Body.String()
		w := send(h, c.method, c.path, c.body, append(c.header, "Authorization: "+c.scopes)...)
		got := w.Body.String()
		if w.Code != c.status || c.has == "-" && got != "" || c.has != "-" && !strings.Contains(got, c.has) {
			t.Errorf("%s: %s: %s %s with %s: got %d %q, want %d %s", c.id, c.what, c.method, c.path, c.scopes, w.Code, got, c.status, c.has)
		}
		after := send(h, "GET", "/Observation/_history", "", "Authorization: feed").Body.String()
		kept := c.status >= 400 || strings.Contains(c.what, "unknown id") && c.status == 204 || strings.Contains(c.what, "delete outside") || strings.Contains(c.what, "create with a match") && c.status == 200 || strings.Contains(c.what, "whose match")
		if unchanged := before == after; unchanged != kept {
			t.Errorf("%s: %s: the record is unchanged: %v", c.id, c.what, unchanged)
		}
	}
}

// TestScopedPages: a page link is for the scopes and the patient in context of its requester (SMART-276).
func TestScopedPages(t *testing.T) {
	h := scopedRecord(t, storetest.NewReference(time.Now))
	next := func(scopes, context string) string {
		w := send(h, "GET", "/Observation?_count=1", "", "Authorization: "+scopes, "X-Test-Context: "+context)
		link := gjson.Get(w.Body.String(), `link.#(relation="next").url`).Str
		_, path, _ := strings.Cut(link, "/fhir")
		return path
	}
	for _, c := range []struct{ scopes, context, other, otherContext string }{
		{"user/Observation.rs?category=lab", "", "user/Observation.rs?category=vital", ""},
		{"user/Observation.rs?category=lab", "", "user/Observation.rs", ""},
		{"patient/Observation.rs", "g.1", "patient/Observation.rs", "g.2"},
		{"patient/Observation.rs?category=lab", "g.1", "user/Observation.rs?category=lab", "g.1"},
	} {
		link := next(c.scopes, c.context)
		if w := send(h, "GET", link, "", "Authorization: "+c.scopes, "X-Test-Context: "+c.context); w.Code != 200 || link == "" {
			t.Errorf("SMART-276: the page %q of %s: %d %s", link, c.scopes, w.Code, w.Body)
		}
		if w := send(h, "GET", link, "", "Authorization: "+c.other, "X-Test-Context: "+c.otherContext); w.Code != 400 && w.Code != 410 {
			t.Errorf("SMART-276: the page of %s (%s) with %s (%s): %d %s", c.scopes, c.context, c.other, c.otherContext, w.Code, w.Body)
		}
	}
}

// TestScopedPairs: two records that differ only in what is outside the constraint of the scopes answer alike (SMART-252).
func TestScopedPairs(t *testing.T) {
	with, without := scopedRecord(t, storetest.NewReference(time.Now)), scopedRecord(t, storetest.NewReference(time.Now))
	for n := range 5 {
		id := fmt.Sprintf("g.more%d", n)
		send(with, "PUT", "/Observation/"+id, `{"resourceType":"Observation","id":"`+id+`","status":"final",`+vital+`,"code":{"text":"x"},"subject":{"reference":"Patient/g.1"}}`, "Authorization: feed")
	}
	for _, path := range []string{"/Observation/g.more1", "/Observation?_summary=count", "/Observation?category:not=lab", "/Observation?category:missing=false&_summary=count", "/Observation?_sort=-_id&_count=2&_elements=id", "/Observation?_id=g.more1",
		"/Patient/g.1/$everything?_elements=id", "/Patient?_has:Observation:patient:category=vital", "/Patient?_revinclude=Observation:patient&_elements=id"} {
		var bodies []string
		for _, h := range []func() string{
			func() string {
				return found(send(with, "GET", path, "", "Authorization: user/Observation.rs?category=lab user/Patient.rs"))
			},
			func() string {
				return found(send(without, "GET", path, "", "Authorization: user/Observation.rs?category=lab user/Patient.rs"))
			},
		} {
			bodies = append(bodies, h())
		}
		if bodies[0] != bodies[1] {
			t.Errorf("SMART-252: %s: %q with more rows outside the scopes, %q without", path, bodies[0], bodies[1])
		}
	}
}
