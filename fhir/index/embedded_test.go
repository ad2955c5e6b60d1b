package index_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"carerecord/fhir"
	"carerecord/fhir/index"
)

// about is whom a body is about and mentions, in one line: owners, nhs:numbers,
// >resources whose owners it inherits, ?unsettled; behind a bar the mentions, and behind
// another one the Binaries.
func about(row index.Entry) string {
	out := append([]string{}, row.Owners.Patients...)
	for _, i := range row.Owners.Identifiers {
		out = append(out, strings.Replace(i.System, "https://fhir.nhs.uk/Id/nhs-number", "nhs", 1)+":"+i.Value)
	}
	for _, r := range row.Owners.InheritFrom {
		out = append(out, ">"+r.String())
	}
	if row.Owners.Unsettled {
		out = append(out, "?")
	}
	if row.Owners.Rule == index.Unowned {
		out = append(out, "nobody")
	}
	out = append(append(out, "|"), row.Mentions...)
	for _, n := range row.Numbers {
		out = append(out, "nhs:"+n)
	}
	out = append(append(out, "|"), row.Attachments...)
	return strings.Trim(strings.Join(out, " "), " |")
}

func coded(body string) string { return base64.StdEncoding.EncodeToString([]byte(body)) }

// TestEmbedded: a Bundle is about every Patient that it embeds or names, and so is what
// holds resources as base64 (CON-406; CON-1204).
func TestEmbedded(t *testing.T) {
	const (
		nhs       = `{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9000000009"}`
		condition = `{"resourceType":"Condition","subject":{"reference":"%s"}}`
		a         = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
	)
	bundle := func(entries ...string) string {
		return `{"resourceType":"Bundle","type":"collection","entry":[` + strings.Join(entries, ",") + `]}`
	}
	entry := func(full, resource string, more ...string) string {
		if full != "" {
			full = `"fullUrl":"` + full + `",`
		}
		return `{` + full + `"resource":` + resource + strings.Join(more, "") + `}`
	}
	of := func(reference string) string { return fmt.Sprintf(condition, reference) }
	patient := func(members string) string { return `{"resourceType":"Patient"` + members + `}` }
	identified := patient(`,"identifier":[` + nhs + `]`)
	binary := func(data string) string {
		return `{"resourceType":"Binary","contentType":"application/fhir+json","data":"` + data + `"}`
	}
	for _, c := range []struct{ name, body, want string }{
		{"whom entries are about", bundle(entry("", of("Patient/2")), entry("", of("http://h/fhir/Patient/1/_history/2"))), "1 2"},
		{"whom they name", bundle(entry("", `{"resourceType":"Observation","subject":{"reference":"Patient/1"},"performer":[{"reference":"Patient/2"}],"extension":[{"url":"u","valueReference":{"reference":"Patient/3"}}]}`)), "1 2 3"},
		{"a Patient by fullUrl", bundle(entry("http://h/fhir/Patient/1", patient(""))), "1"},
		{"a Patient by fullUrl, its number is mentioned", bundle(entry("http://h/fhir/Patient/1", identified)), "1 | nhs:9000000009"},
		{"a Patient by request", bundle(entry(a, patient(""), `,"request":{"method":"PUT","url":"Patient/1"}`), entry("", of(a))), "1"},
		{"a Patient by response", bundle(entry("", patient(""), `,"response":{"status":"201","location":"http://h/fhir/Patient/1/_history/1"}`)), "1"},
		{"a Patient by NHS number", bundle(entry(a, identified), entry("", of(a))), "nhs:9000000009"},
		{"written with blanks, of a system that looks like it", bundle(entry(a, patient(`,"identifier":[{"system":"http://fhir.nhs.uk/id/NHS-number/","value":"900 000 0009"}]`))), "nhs:9000000009"},
		{"a Patient of another server, by NHS number", bundle(entry("http://other/fhir/Patient/5", identified), entry("http://other/fhir/Condition/1", of("Patient/5")), entry("", of("http://other/fhir/Patient/5/_history/2"))), "nhs:9000000009"},
		{"a Patient with neither", bundle(entry(a, patient(`,"id":"1"`)), entry("", of(a))), "?"},
		{"a Patient of another server with neither", bundle(entry("http://other/fhir/Patient/5", patient(""))), "?"},
		{"by a number that is not of the NHS", bundle(entry(a, patient(`,"identifier":[{"system":"http://mrn","value":"1"}]`))), "?"},

		{"a urn that leads to no entry", bundle(entry("", of("Patient/1")), entry("", of("urn:uuid:x"))), "1 ?"},
		{"a urn with the NHS number beside it", bundle(entry("", `{"resourceType":"Condition","subject":{"reference":"urn:uuid:x","identifier":`+nhs+`}}`)), "nhs:9000000009"},
		{"a urn that leads to no entry, of a type about nobody", bundle(entry("", `{"resourceType":"Condition","subject":{"reference":"Patient/1"},"asserter":{"reference":"urn:uuid:x","type":"Practitioner"}}`)), "1"},
		{"a urn:oid of an entry", bundle(entry("urn:oid:1.2.3", identified), entry("", of("urn:oid:1.2.3"))), "nhs:9000000009"},
		{"another server's Patient", bundle(entry("", of("Patient/1")), entry("", `{"resourceType":"Condition","subject":{"reference":"Patient/1"},"asserter":{"reference":"http://other/fhir/Patient/5"}}`)), "1 ?"},
		{"another server's Patient, with the NHS number", bundle(entry("", `{"resourceType":"Condition","subject":{"reference":"http://other/fhir/Patient/5","identifier":`+nhs+`}}`)), "nhs:9000000009"},
		{"another server's Encounter", bundle(entry("", `{"resourceType":"Condition","subject":{"reference":"Patient/1"},"encounter":{"reference":"http://other/fhir/Encounter/5"}}`)), "1"},
		{"relative to another server", bundle(entry("http://other/fhir/Condition/1", of("Patient/5"))), "?"},
		{"relative to this server", bundle(entry("http://h/fhir/Condition/1", of("Patient/5"))), "5"},
		{"relative to a urn", bundle(entry(a, of("Patient/5"))), "5"},
		{"by NHS number", bundle(entry("", `{"resourceType":"Condition","subject":{"identifier":`+nhs+`}}`)), "nhs:9000000009"},
		{"by another number", bundle(entry("", `{"resourceType":"Condition","subject":{"identifier":{"system":"http://mrn","value":"7"}}}`)), "http://mrn:7"},
		{"a practitioner by number", bundle(entry("", `{"resourceType":"Condition","subject":{"reference":"Patient/1"},"asserter":{"identifier":{"system":"http://gmc","value":"7"}}}`)), "1"},
		{"a conditional reference by NHS number", bundle(entry("", of("Patient?identifier=https://fhir.nhs.uk/Id/nhs-number|9000000009"))), "nhs:9000000009"},
		{"a conditional reference by anything else", bundle(entry("", of("Patient?name=x"))), "?"},
		{"a conditional reference to a practitioner", bundle(entry("", `{"resourceType":"Condition","subject":{"reference":"Patient/1"},"asserter":{"reference":"Practitioner?identifier=x"}}`)), "1"},
		{"display only", bundle(entry("", `{"resourceType":"Condition","subject":{"display":"Somebody"}}`)), "?"},
		{"nobody at all", bundle(entry("", `{"resourceType":"Condition"}`)), "?"},
		{"a reference to another server without a type", bundle(entry("", `{"resourceType":"Condition","subject":{"reference":"Patient/1"},"asserter":{"reference":"http://other/x"}}`)), "1 ?"},
		{"an unknown type", bundle(entry("", `{"resourceType":"Story"}`)), "?"},
		{"entries about nobody", bundle(entry("", `{"resourceType":"Practitioner"}`), entry("", `{"resourceType":"Device"}`)), ""},
		{"an entry that inherits its owners", bundle(entry("", `{"resourceType":"Provenance","target":[{"reference":"Condition/c"}]}`)), ">Condition/c"},
		{"from another entry", bundle(entry("http://h/fhir/Condition/c", of("Patient/1")), entry("http://h/fhir/Provenance/p", `{"resourceType":"Provenance","target":[{"reference":"Condition/c"}]}`)), "1"},
		{"from an entry by its request", bundle(entry(a, of("Patient/1"), `,"request":{"method":"PUT","url":"Condition/c"}`), entry("", `{"resourceType":"Provenance","target":[{"reference":"Condition/c"}]}`)), "1"},
		{"who takes part in an appointment is mentioned", bundle(entry("", `{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/1"}},{"actor":{"reference":"Practitioner/1"}}]}`)), "1"},
		{"an entry without a resource", bundle(`{"request":{"method":"DELETE","url":"Patient/1"}}`, `{"fullUrl":"http://h/fhir/Patient/2"}`), "1 2"},

		{"a Bundle in a Bundle", bundle(entry("", bundle(entry(a, identified), entry("", of(a))))), "nhs:9000000009"},
		{"the outcome of a response", bundle(`{"response":{"status":"200","outcome":{"resourceType":"OperationOutcome","extension":[{"url":"u","valueReference":{"reference":"Patient/1"}}]}}}`), "1"},
		{"contained in an entry", bundle(entry("", `{"resourceType":"Condition","contained":[`+patient(`,"id":"p","identifier":[`+nhs+`]`)+`],"subject":{"reference":"#p"}}`)), "nhs:9000000009"},
		{"contained in an entry, with neither", bundle(entry("", `{"resourceType":"Condition","contained":[`+patient(`,"id":"p"`)+`],"subject":{"reference":"#p"}}`)), "?"},
		{"contained nowhere", bundle(entry("", of("#p"))), "?"},
		{"Parameters", `{"resourceType":"Parameters","parameter":[{"name":"a","resource":` + of("Patient/1") + `},{"name":"b","part":[{"name":"c","part":[{"name":"d","resource":` + of("Patient/2") + `},{"name":"e","valueReference":{"reference":"Patient/3"}},{"name":"f","valueIdentifier":` + nhs + `}]}]}]}`, "1 2 3 nhs:9000000009"},

		{"a Binary of its document alone", `{"resourceType":"Binary","contentType":"text/plain","data":"` + coded("a letter") + `"}`, ""},
		{"a Binary that holds a resource", binary(coded(of("Patient/1"))), "1"},
		{"a Binary that holds a Bundle", binary(coded(bundle(entry("", of("Patient/1")), entry(a, identified)))), "1 nhs:9000000009"},
		{"in XML", binary(coded(`<Condition xmlns="http://hl7.org/fhir"><subject><reference value="Patient/1"/></subject></Condition>`)), "1"},
		{"that inherits its owners", binary(coded(`{"resourceType":"Provenance","target":[{"reference":"Condition/c"}]}`)), ">Condition/c"},
		{"a Binary that claims to hold FHIR", binary("eA=="), "?"},
		{"a Binary in a Binary", binary(coded(binary(coded(of("Patient/1"))))), "1"},
		{"a contained Binary", `{"resourceType":"Observation","subject":{"reference":"Patient/1"},"contained":[` + binary(coded(of("Patient/2"))) + `]}`, "1 2"},
		{"base64 in an extension", `{"resourceType":"Observation","subject":{"reference":"Patient/1"},"_status":{"extension":[{"url":"u","valueBase64Binary":"` + coded(of("Patient/2")) + `"}]}}`, "1 2"},
		{"an attachment in an extension", `{"resourceType":"Observation","subject":{"reference":"Patient/1"},"extension":[{"url":"u","valueAttachment":{"contentType":"application/fhir+json","data":"!"}}]}`, "1 ?"},
		{"an attachment whose url holds its data", `{"resourceType":"DocumentReference","subject":{"reference":"Patient/1"},"content":[{"attachment":{"url":"data:application/json;base64,` + coded(of("Patient/2")) + `"}}]}`, "1 2"},
		{"an ordinary resource inherits nothing by base64", `{"resourceType":"Observation","subject":{"reference":"Patient/1"},"extension":[{"url":"u","valueBase64Binary":"` + coded(`{"resourceType":"Provenance","target":[{"reference":"Condition/c"}]}`) + `"}]}`, "1 ?"},
		{"a type about nobody", `{"resourceType":"Organization","extension":[{"url":"u","valueBase64Binary":"` + coded(of("Patient/2")) + `"}]}`, "2"},
		{"a type about nobody that holds nobody", `{"resourceType":"Organization","extension":[{"url":"u","valueBase64Binary":"` + coded(`{"resourceType":"Practitioner"}`) + `"}]}`, "nobody"},
		{"a Patient stays about itself", patient(`,"photo":[{"data":"` + coded(bundle(entry("", of("Patient/2")), entry(a, identified))) + `"}]`), "id | 2 nhs:9000000009"},

		{"a contained Patient is mentioned by number", `{"resourceType":"Observation","subject":{"reference":"Patient/1"},"contained":[` + patient(`,"id":"p","identifier":[`+nhs+`]`) + `],"performer":[{"reference":"#p"}]}`, "1 | nhs:9000000009"},
		{"an identifier in an extension", `{"resourceType":"Observation","subject":{"reference":"Patient/1"},"extension":[{"url":"u","valueIdentifier":{"system":"http://fhir.nhs.uk/Id/nhs-number","value":"900 000 0009"}}]}`, "1 | nhs:9000000009"},
		{"a Binary attached in an entry", bundle(entry("", `{"resourceType":"DocumentReference","subject":{"reference":"Patient/1"},"content":[{"attachment":{"url":"Binary/b"}}]}`)), "1 | | b"},
		{"a Binary attached in base64", binary(coded(`{"resourceType":"DocumentReference","subject":{"reference":"Patient/1"},"extension":[{"url":"u","valueAttachment":{"url":"http://h/fhir/Binary/b"}}]}`)), "1 | | b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			parsed, err := fhir.Parse([]byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			row, err := newIndexer(t).Index(parsed.Type, "id", now, parsed.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got := about(row); got != c.want {
				t.Errorf("%s: got %q, want %q", c.body, got, c.want)
			}
			if row.Owners.Unresolved != (row.Owners.Rule == index.Owned && len(row.Owners.Patients) == 0) {
				t.Errorf("%s: unresolved %v with owners %v", c.body, row.Owners.Unresolved, row.Owners.Patients)
			}
		})
	}
}

// A Binary's securityContext is kept apart from whom its data is about: only what the
// context names leads to it.
func TestContextOfBinary(t *testing.T) {
	body := `{"resourceType":"Binary","securityContext":{"reference":"DocumentReference/d"},"data":"` + coded(`{"resourceType":"Condition","subject":{"reference":"Patient/2"}}`) + `"}`
	row, err := newIndexer(t).Index("Binary", "id", now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	d := []fhir.Ref{{Type: "DocumentReference", ID: "d"}}
	want := index.Ownership{Rule: index.Owned, Patients: []string{"2"}, InheritFrom: d, SecurityContext: d}
	if diff := cmp.Diff(want, row.Owners, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
