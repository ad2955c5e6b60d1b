package smart

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// TestOperationsNotBuilt: operations and routes that are not built are refused as such for every token, and the CapabilityStatement does not
// have them (SMART-296, 297, 301, 303 and 304).
func TestOperationsNotBuilt(t *testing.T) {
	w := newWorld(t, nil, 1)
	patient := w.exchange("app", w.browser().journey("app", "patient/*.cruds", "ann", "").Get("code")).str("access_token")
	staff := w.exchange("clinical", w.browser().journey("clinical", "user/*.cruds", "doctor", "").Get("code")).str("access_token")
	tokens := map[string]string{"a patient": patient, "staff": staff, "a backend": w.backend("loader", "system/*.rs")}
	statement := read(w.do(w.request("GET", base+"/metadata", ""))).text
	for path, name := range map[string]string{
		"POST /Patient/$match": "match", "GET /$export": "export", "GET /Patient/$export": "export", "GET /Group/x/$export": "export",
		"GET /ValueSet/$expand": "expand", "GET /CodeSystem/$lookup": "lookup", "POST /ValueSet/$validate-code": "validate-code", "POST /ConceptMap/$translate": "translate",
		"POST /Patient/t1.ann/$break-glass": "break-glass", "POST /Patient/t1.ann/$end-break-glass": "end-break-glass", "POST /Patient/t1.ann/$claim-relationship": "claim-relationship",
		"GET /Patient/t1.ann/$consent-explain": "consent-explain", "POST /Patient/t1.ann/$link": "link", "POST /Patient/t1.ann/$unlink": "unlink",
		"GET /Patient/t1.ann/$summary": "summary", "GET /Composition/x/$document": "document", "GET /Patient/t1.ann/$graph": "graph",
	} {
		method, at, _ := strings.Cut(path, " ")
		for who, token := range tokens {
			r := w.request(method, base+at, "")
			r.Header.Set("Authorization", "Bearer "+token)
			if method == "POST" {
				r.Header.Set("Content-Type", "application/fhir+json")
			}
			if got := read(w.do(r)); got.code != 404 || !strings.Contains(got.text, `"not-supported"`) {
				t.Errorf("SMART-304: %s by %s: got %d %.200s, want 404 not-supported", path, who, got.code, got.text)
			}
		}
		if strings.Contains(gjson.Get(statement, "rest.0.resource.#.operation").Raw, `"name":"`+name+`"`) {
			t.Errorf("SMART-304: the CapabilityStatement has %s", name)
		}
	}
	for who, token := range tokens {
		r := w.request("GET", base+"/Observation", "")
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Prefer", "respond-async")
		if got := read(w.do(r)); got.code == 202 || got.header.Get("Content-Location") != "" {
			t.Errorf("SMART-303: an asynchronous answer for %s: got %d %v", who, got.code, got.header)
		}
	}
}
