package rest_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/store"
)

// TestConstraintIsSearch: a constraint, the search with the same parameters and the check of a single resource find the same
// among random resources, which have missing elements, several codings and codings without a system (SMART-241). On every
// store they are those that the text of the resource says.
func TestConstraintIsSearch(t *testing.T) {
	onAllStores(t, func(t *testing.T, db store.Store) {
		h, draw := shared(t, db), rand.New(rand.NewPCG(241, 1))
		pick := func(from ...string) string { return from[draw.IntN(len(from))] }
		bodies := map[string]string{}
		var entries []string
		for n := range 60 {
			id := fmt.Sprintf("g.%d", n)
			bodies[id] = randomObservation(draw, id)
			entries = append(entries, `{"resource":`+bodies[id]+`,"request":{"method":"PUT","url":"Observation/`+id+`"}}`)
		}
		bundle := `{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`
		if w := send(h, "POST", "", bundle, "Authorization: feed"); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for range 40 {
			var parts []string
			for range 1 + draw.IntN(2) {
				values := []string{token(pick)}
				if draw.IntN(3) == 0 {
					values = append(values, token(pick))
				}
				parts = append(parts, pick("category", "code")+"="+strings.Join(values, ","))
			}
			if draw.IntN(3) == 0 {
				parts = append(parts, "status="+pick("final", "amended", "final,amended"))
			}
			constraint := strings.Join(parts, "&")
			var want []string
			for id, body := range bodies {
				if satisfiedBy(body, parts) {
					want = append(want, id)
				}
			}
			slices.Sort(want)
			scope := "Authorization: system/Observation.rs?" + constraint
			text := strings.Join(want, " ")
			if got := found(send(h, "GET", "/Observation?_count=1000&_total=none", "", scope)); got != text {
				t.Errorf("SMART-241: a search under %s: got %s, want %s", constraint, got, text)
			}
			if got := found(send(h, "GET", "/Observation?_count=1000&_total=none&"+constraint, "", "Authorization: feed")); got != text {
				t.Errorf("SMART-241: a search by %s: got %s, want %s", constraint, got, text)
			}
			if got, wanted := found(send(h, "GET", "/Observation?_summary=count", "", scope)), "total "+fmt.Sprint(len(want)); got != wanted && len(want) > 0 {
				t.Errorf("SMART-241: a count under %s: got %s, want %s", constraint, got, wanted)
			}
			for id := range bodies {
				if got := found(send(h, "GET", "/Observation/"+id, "", scope)); (got == id) != slices.Contains(want, id) {
					t.Errorf("SMART-241: a read of %s under %s: got %s: %s", id, constraint, got, bodies[id])
				}
			}
		}
	})
}

// randomObservation draws an observation. Any of its elements may be missing.
func randomObservation(draw *rand.Rand, id string) string {
	concept := func() string {
		var codings []string
		for range draw.IntN(3) {
			system := [...]string{`"system":"s",`, `"system":"t",`, ``}[draw.IntN(3)]
			code := [...]string{`"code":"a"`, `"code":"b"`, `"code":"B"`, `"display":"none"`}[draw.IntN(4)]
			codings = append(codings, `{`+system+code+`}`)
		}
		if len(codings) == 0 {
			return `{"text":"a"}`
		}
		return `{"coding":[` + strings.Join(codings, ",") + `]}`
	}
	body := `{"resourceType":"Observation","id":"` + id + `","status":"` + [...]string{"final", "amended"}[draw.IntN(2)] + `","code":` + concept()
	if draw.IntN(3) > 0 {
		body += `,"category":[` + concept()
		if draw.IntN(3) == 0 {
			body += `,` + concept()
		}
		body += `]`
	}
	return body + `}`
}

// token draws a token value.
func token(pick func(...string) string) string {
	return pick("a", "b", "c", "s|a", "s|b", "t|a", "|a", "|b", "s|", "t|")
}

// satisfiedBy reports whether an observation satisfies parameters with token values.
func satisfiedBy(body string, parts []string) bool {
	for _, part := range parts {
		name, values, _ := strings.Cut(part, "=")
		some := false
		for _, value := range strings.Split(values, ",") {
			some = some || name == "status" && gjson.Get(body, "status").Str == value
			system, code, withSystem := strings.Cut(value, "|")
			if !withSystem {
				code = value
			}
			path := map[string]string{"code": "code.coding", "category": "category.#.coding|@flatten"}[name]
			for _, coding := range gjson.Get(body, path).Array() {
				has := coding.Get("code")
				sameCode := code == "" && (has.Exists() || coding.Get("system").Exists()) || has.Exists() && strings.EqualFold(has.Str, code) && code != ""
				some = some || name != "status" && sameCode && (!withSystem || coding.Get("system").Str == system)
			}
		}
		if !some {
			return false
		}
	}
	return true
}
