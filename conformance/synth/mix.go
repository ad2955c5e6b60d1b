package synth

import (
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// Query is one query of the search mix of the benchmark.
type Query struct {
	Name     string   // the query without values
	Examples []string // requests relative to the base, each with values of the region
}

// mixPatients is the maximum number of patients from whose data the values of a mix are drawn.
const mixPatients = 2000

// mixQuery is a query. example makes an example of it from a resource of the type typ: a request
// relative to the base that finds the resource, or "" if there is none.
type mixQuery struct {
	name, typ string
	example   func(r gjson.Result, nhs string) string
}

// Mix returns up to n examples of every query of the search mix. The same Config and n give the
// same examples. Each finds at least one resource in a record with the region of that Config.
func Mix(cfg Config, n int) []Query {
	queries := mixQueries()
	out := make([]Query, len(queries))
	lastPatient, seen := make([]int, len(queries)), make([]int, len(queries))
	for i, q := range queries {
		out[i].Name = q.name
		lastPatient[i] = -1
	}
	rng := rand.New(rand.NewPCG(cfg.Seed, 0))
	patient, nhs := -1, ""
	cfg.Patients = min(cfg.Patients, mixPatients)
	for b := range Region(cfg) {
		gjson.GetBytes(b.Body, "entry.#.resource").ForEach(func(_, r gjson.Result) bool {
			typ := r.Get("resourceType").Str
			if typ == "Patient" {
				patient, nhs = patient+1, r.Get(`identifier.#(system=="`+nhsNumberSystem+`").value`).Str
			}
			for i, q := range queries {
				if q.typ != typ || lastPatient[i] == patient || nhs == "" || r.Get("subject.identifier").Exists() {
					continue
				}
				example := q.example(r, nhs)
				if example == "" || rng.IntN(3) == 0 && typ == "Observation" { // so that it is not always the first one of a patient
					continue
				}
				lastPatient[i] = patient
				if seen[i]++; len(out[i].Examples) < n {
					out[i].Examples = append(out[i].Examples, example)
				} else if at := rng.IntN(seen[i]); at < n {
					out[i].Examples[at] = example
				}
			}
			return true
		})
	}
	return out
}

func mixQueries() []mixQuery {
	subject := func(r gjson.Result) string {
		return escapeQuery(r.Get("subject.reference").Str + r.Get("patient.reference").Str)
	}
	tok := func(concept gjson.Result) string {
		return escapeQuery(concept.Get("coding.0.system").Str + "|" + concept.Get("coding.0.code").Str)
	}
	lab := func(r gjson.Result) bool { return r.Get("category.0.coding.0.code").Str == "laboratory" }
	day := func(at string) string { return at[:min(10, len(at))] }
	return []mixQuery{
		{"Patient?identifier=", "Patient", func(_ gjson.Result, nhs string) string {
			return "Patient?identifier=" + escapeQuery("https://fhir.nhs.uk/Id/nhs-number|"+nhs)
		}},
		{"Patient?family=&birthdate=", "Patient", func(r gjson.Result, _ string) string {
			return "Patient?family=" + escapeQuery(r.Get("name.0.family").Str) + "&birthdate=" + r.Get("birthDate").Str
		}},
		{"Observation?patient=&category=laboratory&_sort=-date&_count=20", "Observation", func(r gjson.Result, _ string) string {
			return exampleIf(lab(r), "Observation?patient="+subject(r)+"&category=laboratory&_sort=-date&_count=20")
		}},
		{"Observation?patient=&code=&date=ge", "Observation", func(r gjson.Result, _ string) string {
			return "Observation?patient=" + subject(r) + "&code=" + tok(r.Get("code")) + "&date=ge" + day(r.Get("effectiveDateTime").Str)
		}},
		{"Condition?patient=&clinical-status=active", "Condition", func(r gjson.Result, _ string) string {
			return exampleIf(r.Get("clinicalStatus.coding.0.code").Str == "active", "Condition?patient="+subject(r)+"&clinical-status=active")
		}},
		{"MedicationRequest?patient=&status=active&_include=MedicationRequest:medication", "MedicationRequest", func(r gjson.Result, _ string) string {
			return exampleIf(r.Get("status").Str == "active", "MedicationRequest?patient="+subject(r)+"&status=active&_include=MedicationRequest:medication")
		}},
		{"AllergyIntolerance?patient=", "AllergyIntolerance", func(r gjson.Result, _ string) string { return "AllergyIntolerance?patient=" + subject(r) }},
		{"Encounter?patient=&date=ge&_include=Encounter:service-provider", "Encounter", func(r gjson.Result, _ string) string {
			return "Encounter?patient=" + subject(r) + "&date=ge" + day(r.Get("period.start").Str) + "&_include=Encounter:service-provider"
		}},
		{"DocumentReference?patient=&type=", "DocumentReference", func(r gjson.Result, _ string) string {
			return "DocumentReference?patient=" + subject(r) + "&type=" + tok(r.Get("type"))
		}},
		{"Observation?subject:Patient.identifier=", "Observation", func(_ gjson.Result, nhs string) string {
			return "Observation?subject:Patient.identifier=" + escapeQuery("https://fhir.nhs.uk/Id/nhs-number|"+nhs)
		}},
		{"Patient?_has:Condition:patient:code=&_count=20", "Condition", func(r gjson.Result, _ string) string {
			return "Patient?_has:Condition:patient:code=" + tok(r.Get("code")) + "&_count=20"
		}},
		{"Observation?code=&value-quantity=gt&_count=50", "Observation", func(r gjson.Result, _ string) string {
			v, q := r.Get("valueQuantity.value").Num, r.Get("valueQuantity")
			return exampleIf(lab(r) && v > 1, "Observation?code="+tok(r.Get("code"))+"&value-quantity=gt"+strconv.FormatFloat(v/2, 'f', 1, 64)+escapeQuery("|"+q.Get("system").Str+"|"+q.Get("code").Str)+"&_count=50")
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

func exampleIf(ok bool, example string) string {
	if !ok {
		return ""
	}
	return example
}

// escapeQuery escapes a query value, except for the slash and colon of a reference.
func escapeQuery(s string) string {
	return strings.NewReplacer("%2F", "/", "%3A", ":").Replace(url.QueryEscape(s))
}
