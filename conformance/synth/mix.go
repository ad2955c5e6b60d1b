package synth

import (
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// Query is one query of the search mix.
type Query struct {
	Name     string   // with its values left out
	Examples []string // requests relative to the base, each with values of the region
}

// mixSource is of how many patients the values of a mix are drawn at most.
const mixSource = 2000

// mixed are the names of the queries, and how the resource of a type is asked
// for: the rest of the request, or "" if the query would not find it.
type mixed struct {
	name, typ string
	ask       func(r gjson.Result, nhs string) string
}

// Mix draws up to n examples of every query of the mix that benchmarks use, in
// its order. The same Config and n give the same examples. Each finds at least
// one resource in the region of that Config, everything read, whatever else is
// there.
func Mix(cfg Config, n int) []Query {
	queries := mixQueries()
	out := make([]Query, len(queries))
	had, seen := make([]int, len(queries)), make([]int, len(queries))
	for i, q := range queries {
		out[i].Name = q.name
		had[i] = -1
	}
	rng := rand.New(rand.NewPCG(cfg.Seed, 0))
	patient, nhs := -1, ""
	cfg.Patients = min(cfg.Patients, mixSource)
	for b := range Region(cfg) {
		gjson.GetBytes(b.Body, "entry.#.resource").ForEach(func(_, r gjson.Result) bool {
			typ := r.Get("resourceType").Str
			if typ == "Patient" {
				patient, nhs = patient+1, r.Get("identifier.0.value").Str
			}
			for i, q := range queries {
				if q.typ != typ || had[i] == patient {
					continue
				}
				ask := q.ask(r, nhs)
				if ask == "" || rng.IntN(3) == 0 && typ == "Observation" { // not always a patient's first
					continue
				}
				had[i] = patient
				if seen[i]++; len(out[i].Examples) < n {
					out[i].Examples = append(out[i].Examples, ask)
				} else if at := rng.IntN(seen[i]); at < n {
					out[i].Examples[at] = ask
				}
			}
			return true
		})
	}
	return out
}

func mixQueries() []mixed {
	subject := func(r gjson.Result) string {
		return esc(r.Get("subject.reference").Str + r.Get("patient.reference").Str)
	}
	tok := func(concept gjson.Result) string {
		return esc(concept.Get("coding.0.system").Str + "|" + concept.Get("coding.0.code").Str)
	}
	lab := func(r gjson.Result) bool { return r.Get("category.0.coding.0.code").Str == "laboratory" }
	day := func(at string) string { return at[:min(10, len(at))] }
	return []mixed{
		{"Patient?identifier=", "Patient", func(_ gjson.Result, nhs string) string {
			return "Patient?identifier=" + esc("https://fhir.nhs.uk/Id/nhs-number|"+nhs)
		}},
		{"Patient?family=&birthdate=", "Patient", func(r gjson.Result, _ string) string {
			return "Patient?family=" + esc(r.Get("name.0.family").Str) + "&birthdate=" + r.Get("birthDate").Str
		}},
		{"Observation?patient=&category=laboratory&_sort=-date&_count=20", "Observation", func(r gjson.Result, _ string) string {
			return when(lab(r), "Observation?patient="+subject(r)+"&category=laboratory&_sort=-date&_count=20")
		}},
		{"Observation?patient=&code=&date=ge", "Observation", func(r gjson.Result, _ string) string {
			return "Observation?patient=" + subject(r) + "&code=" + tok(r.Get("code")) + "&date=ge" + day(r.Get("effectiveDateTime").Str)
		}},
		{"Condition?patient=&clinical-status=active", "Condition", func(r gjson.Result, _ string) string {
			return when(r.Get("clinicalStatus.coding.0.code").Str == "active", "Condition?patient="+subject(r)+"&clinical-status=active")
		}},
		{"MedicationRequest?patient=&status=active&_include=MedicationRequest:medication", "MedicationRequest", func(r gjson.Result, _ string) string {
			return when(r.Get("status").Str == "active", "MedicationRequest?patient="+subject(r)+"&status=active&_include=MedicationRequest:medication")
		}},
		{"AllergyIntolerance?patient=", "AllergyIntolerance", func(r gjson.Result, _ string) string { return "AllergyIntolerance?patient=" + subject(r) }},
		{"Encounter?patient=&date=ge&_include=Encounter:service-provider", "Encounter", func(r gjson.Result, _ string) string {
			return "Encounter?patient=" + subject(r) + "&date=ge" + day(r.Get("period.start").Str) + "&_include=Encounter:service-provider"
		}},
		{"DocumentReference?patient=&type=", "DocumentReference", func(r gjson.Result, _ string) string {
			return "DocumentReference?patient=" + subject(r) + "&type=" + tok(r.Get("type"))
		}},
		{"Observation?subject:Patient.identifier=", "Observation", func(_ gjson.Result, nhs string) string {
			return "Observation?subject:Patient.identifier=" + esc("https://fhir.nhs.uk/Id/nhs-number|"+nhs)
		}},
		{"Patient?_has:Condition:patient:code=&_count=20", "Condition", func(r gjson.Result, _ string) string {
			return "Patient?_has:Condition:patient:code=" + tok(r.Get("code")) + "&_count=20"
		}},
		{"Observation?code=&value-quantity=gt&_count=50", "Observation", func(r gjson.Result, _ string) string {
			v, q := r.Get("valueQuantity.value").Num, r.Get("valueQuantity")
			return when(lab(r) && v > 1, "Observation?code="+tok(r.Get("code"))+"&value-quantity=gt"+strconv.FormatFloat(v/2, 'f', 1, 64)+esc("|"+q.Get("system").Str+"|"+q.Get("code").Str)+"&_count=50")
		}},
		{"DiagnosticReport?patient=&_include=DiagnosticReport:result", "DiagnosticReport", func(r gjson.Result, _ string) string {
			return "DiagnosticReport?patient=" + subject(r) + "&_include=DiagnosticReport:result"
		}},
		{"Patient/[id]/$everything?_count=100", "Patient", func(r gjson.Result, _ string) string {
			return "Patient/" + r.Get("id").Str + "/$everything?_count=100"
		}},
		{"Observation?code=&_summary=count", "Observation", func(r gjson.Result, _ string) string {
			return "Observation?code=" + tok(r.Get("code")) + "&_summary=count"
		}},
		{"Immunization?patient=&_lastUpdated=gt", "Immunization", func(r gjson.Result, _ string) string {
			return "Immunization?patient=" + subject(r) + "&_lastUpdated=gt2020-01-01"
		}},
	}
}

func when(holds bool, ask string) string {
	if !holds {
		return ""
	}
	return ask
}

// esc escapes a value, and leaves the slash and colon of a reference readable.
func esc(s string) string {
	return strings.NewReplacer("%2F", "/", "%3A", ":").Replace(url.QueryEscape(s))
}
