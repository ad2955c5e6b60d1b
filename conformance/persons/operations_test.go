package persons

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/conformance/servertest"
)

// entries returns Type/id of each entry of a Bundle in its order, with the source after a blank where the entry names one.
// It omits warnings.
func entries(body string) []string {
	var out []string
	for _, e := range gjson.Get(body, "entry").Array() {
		if e.Get("search.mode").Str == "outcome" {
			continue
		}
		text := e.Get("resource.resourceType").Str + "/" + e.Get("resource.id").Str
		for _, x := range e.Get("extension").Array() {
			if x.Get("url").Str == servertest.Base+"/StructureDefinition/source-organisation" && x.Get("valueIdentifier.system").Str == "https://fhir.nhs.uk/Id/ods-organization-code" {
				text += " " + x.Get("valueIdentifier.value").Str
			}
		}
		out = append(out, text)
	}
	return out
}

// TestSources: $sources returns all visible Patients of a person, best first, with their sources (IDN-121, 122, 125).
func TestSources(t *testing.T) {
	for name, open := range engines(t) {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t, open(t), false)
			patients := r.onePerson()
			all := []string{"Patient/xgp.p XGP", "Patient/xac.p XAC", "Patient/xco.p XCO", "Patient/xmh.p XMH", "Patient/xsc.p XSC"}
			check := func(caller, path string, want ...string) {
				t.Helper()
				code, body := r.send(caller, http.MethodGet, path, "")
				if got := entries(body); code != 200 || !slices.Equal(got, want) || gjson.Get(body, "total").Int() != int64(len(want)) {
					t.Errorf("%s: GET %s: got %d with %s, total %s; want %s", caller, path, code, sprint(got), gjson.Get(body, "total").Raw, sprint(want))
				}
			}
			for _, id := range patients {
				check("staff XGP", "Patient/"+id+"/$sources", all...)
			}
			check("staff XAC", "Patient/xgp.q/$sources", "Patient/xgp.q XGP")
			check("staff XAC", "Patient/xun.p/$sources", "Patient/xun.p XUN")
			// A source system has its own Patient alone, without its source (IDN-124).
			check("source XAC", "Patient/xac.p/$sources", "Patient/xac.p")
			for caller, id := range map[string]string{"source XAC": "xgp.p", "staff XAC": "none"} {
				read, _ := r.send(caller, http.MethodGet, "Patient/"+id, "")
				if code, body := r.send(caller, http.MethodGet, "Patient/"+id+"/$sources", ""); code != 404 || read != 404 {
					t.Errorf("%s: $sources of a hidden or absent Patient: got %d %s, a read %d; want 404", caller, code, body, read)
				}
			}
			// A contradicted Patient is visible to its source alone, and a person of its own.
			r.put("XMH", "Patient", "p", identifier(number, second))
			r.caughtUp()
			check("staff XGP", "Patient/xac.p/$sources", "Patient/xgp.p XGP", "Patient/xac.p XAC", "Patient/xco.p XCO", "Patient/xsc.p XSC")
			check("source XMH", "Patient/xmh.p/$sources", "Patient/xmh.p")
		})
	}
}

// TestIHEPIX: $ihe-pix returns the identifiers and ids of all visible Patients of the persons with an identifier (IDN-121,
// 124; IHE PIXm ITI-83).
func TestIHEPIX(t *testing.T) {
	r := newRegion(t, nil, false)
	local := func(ods, value string) string {
		return `,{"system":"http://local/` + ods + `","value":"` + value + `"}]`
	}
	withLocal := func(ods, id, number string) {
		r.put(ods, "Patient", id, strings.TrimSuffix(identifier(number), "]")+local(ods, id+"-local"))
	}
	withLocal("XGP", "p", number)
	withLocal("XAC", "p", number)
	withLocal("XAC", "q", second)
	withLocal("XUN", "p", number)
	r.caughtUp()
	of := func(system, value string) string { return "sourceIdentifier=" + url.QueryEscape(system+"|"+value) }
	for _, c := range []struct {
		name, caller, query string
		want                []string
	}{
		{"a local identifier", "staff XGP", of("http://local/XAC", "p-local"), []string{nhs + "|" + number, "http://local/XGP|p-local", "Patient/xgp.p", "Patient/xac.p"}},
		{"a national number; the untraced Patient is another person", "staff XGP", of(nhs, number), []string{"http://local/XGP|p-local", "http://local/XAC|p-local", "Patient/xgp.p", "Patient/xac.p"}},
		{"an id of this server", "staff XGP", of(servertest.Base, "Patient/xac.q"), []string{nhs + "|" + second, "http://local/XAC|q-local", "Patient/xac.q"}},
		{"systems", "staff XGP", of(nhs, number) + "&targetSystem=http://local/XAC&targetSystem=http://local/XGP", []string{"http://local/XGP|p-local", "http://local/XAC|p-local", "Patient/xgp.p", "Patient/xac.p"}},
		{"a system that nobody uses", "staff XGP", of(nhs, second) + "&targetSystem=urn:oid:1.2.3", []string{"Patient/xac.q"}},
		{"a source system: literal", "source XAC", of(nhs, number), []string{"http://local/XAC|p-local", "Patient/xac.p"}},
	} {
		code, body := r.send(c.caller, http.MethodGet, "Patient/$ihe-pix?"+c.query, "")
		var got []string
		for _, p := range gjson.Get(body, "parameter").Array() {
			switch p.Get("name").Str {
			case "targetIdentifier":
				got = append(got, p.Get("valueIdentifier.system").Str+"|"+p.Get("valueIdentifier.value").Str)
			case "targetId":
				got = append(got, p.Get("valueReference.reference").Str)
			}
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if code != 200 || gjson.Get(body, "resourceType").Str != "Parameters" || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %d %s\nwant %s", c.name, code, sprint(got), sprint(c.want))
		}
	}
	body := `{"resourceType":"Parameters","parameter":[{"name":"sourceIdentifier","valueString":"` + nhs + `|` + second + `"}]}`
	if code, answer := r.send("staff XGP", http.MethodPost, "Patient/$ihe-pix", body); code != 200 || !strings.Contains(answer, "Patient/xac.q") {
		t.Errorf("POST: got %d %s", code, answer)
	}
	for _, c := range []struct {
		name, caller, query string
		status              int
		issue               string
	}{
		{"nobody has it", "staff XGP", of("http://local/XAC", "none"), 404, "not-found"},
		{"a Patient of another source", "source XAC", of("http://local/XGP", "p-local"), 404, "not-found"},
		{"an id that is hidden", "source XAC", of(servertest.Base, "Patient/xgp.p"), 404, "not-found"},
		{"missing", "staff XGP", "targetSystem=http://local/XAC", 400, "required"},
		{"repeated", "staff XGP", of(nhs, number) + "&" + of(nhs, second), 400, "invalid"},
		{"no system", "staff XGP", "sourceIdentifier=%7C" + number, 400, "code-invalid"},
		{"no separator", "staff XGP", "sourceIdentifier=" + number, 400, "code-invalid"},
		{"no value", "staff XGP", of(nhs, ""), 400, "value"},
		{"a target that is no URI", "staff XGP", of(nhs, number) + "&targetSystem=local", 403, "code-invalid"},
		{"another parameter", "staff XGP", of(nhs, number) + "&family=x", 400, "not-supported"},
	} {
		code, body := r.send(c.caller, http.MethodGet, "Patient/$ihe-pix?"+c.query, "")
		if code != c.status || gjson.Get(body, "issue.0.code").Str != c.issue {
			t.Errorf("%s: got %d %s, want %d %s", c.name, code, body, c.status, c.issue)
		}
	}
}

// TestSourceOfEveryRow: entries of searches, $everything and histories name the source of their resource to staff, and to
// nobody else; bodies are as they were sent (IDN-123, 125).
func TestSourceOfEveryRow(t *testing.T) {
	r := newRegion(t, nil, false)
	r.onePerson()
	for _, path := range []string{"Patient", "Observation?patient=xgp.p&_include=Observation:patient", "Patient?_revinclude=Observation:patient", "Patient/xgp.p/$everything",
		"Observation/$lastn?patient=xgp.p&code=1", "Patient/xgp.p/Observation", "Observation/_history", "Observation/xac.o/_history", "_history"} {
		code, body := r.send("staff XGP", http.MethodGet, path, "")
		got := entries(body)
		for _, text := range got {
			_, id, _ := strings.Cut(text, "/")
			id, source, _ := strings.Cut(id, " ")
			if ods, _, _ := strings.Cut(id, "."); strings.ToUpper(ods) != source {
				t.Errorf("GET %s: the entry of %s has the source %q", path, id, source)
			}
		}
		if code != 200 || len(got) == 0 {
			t.Errorf("GET %s: %d with %d entries", path, code, len(got))
		}
		if _, body := r.send("source XAC", http.MethodGet, strings.ReplaceAll(path, "xgp.p", "xac.p"), ""); strings.Contains(body, "source-organisation") {
			t.Errorf("GET %s: a source system is shown a source: %s", path, body)
		}
	}
	_, bundle := r.send("staff XGP", http.MethodGet, "Patient?_id=xac.p", "")
	_, one := r.send("staff XGP", http.MethodGet, "Patient/xac.p", "")
	if got := gjson.Get(bundle, "entry.0.resource").Raw; got != one {
		t.Errorf("the resource in a Bundle differs from a read:\n%s\n%s", got, one)
	}
	// The CapabilityStatement documents persons where the record has an identity policy.
	_, metadata := r.send("staff XGP", http.MethodGet, "metadata", "")
	for _, path := range []string{`rest.0.resource.#(type=="Patient").documentation`, `rest.0.resource.#(type=="Observation").searchParam.#(name=="patient").documentation`,
		`rest.0.resource.#(type=="Patient").operation.#(name=="sources").definition`, `rest.0.resource.#(type=="Patient").operation.#(name=="ihe-pix").definition`} {
		if gjson.Get(metadata, path).Str == "" {
			t.Errorf("IDN-125: the CapabilityStatement has no %s", path)
		}
	}
	if gjson.Get(metadata, `rest.0.resource.#(type=="Observation").searchParam.#(name=="encounter").documentation`).Str != "" {
		t.Error("IDN-125: a parameter that refers to no Patient is documented")
	}
}
