package facts

import (
	"testing"

	"carerecord/fhir/index"
	"carerecord/store"
)

// TestHome: the partition of a document follows from the document and from Patients of its own source (IDN-113).
func TestHome(t *testing.T) {
	patient := func(id, source, identifiers string) func(*record) {
		return func(r *record) { r.put("Patient", id, source, `,"identifier":[`+identifiers+`]`) }
	}
	about := `,"subject":{"reference":"Patient/p"}`
	const second = "9990000026"
	for _, c := range []struct {
		name   string
		stored func(*record)
		typ    string
		body   string
		want   string // whose partition
	}{
		{"a Patient with a number", nil, "Patient", `,"identifier":[` + identified(number) + `]`, "nhs:" + number},
		{"a Patient with two counting numbers", nil, "Patient", `,"identifier":[` + identified(second) + "," + identified(number) + `]`, "nhs:" + number},
		{"a Patient with an old number", nil, "Patient", `,"identifier":[` + identified(number) + `,{"use":"old",` + identified(second)[1:] + `]`, "nhs:" + number},
		{"a Patient with a counting and an unverified number", nil, "Patient", `,"identifier":[` + identified(number) + `,{"extension":[{"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus","valueCodeableConcept":{"coding":[{"code":"02"}]}}],` + identified(second)[1:] + `]`, "nhs:" + number},
		{"a Patient without a number", nil, "Patient", ``, "x"},
		{"the own Patient has a number", patient("p", "RX1", identified(number)), "Observation", about, "nhs:" + number},
		{"the own Patient has none", patient("p", "RX1", ""), "Observation", about, "p"},
		{"the Patient of another source has a number", patient("p", "RX2", identified(number)), "Observation", about, "p"},
		{"no Patient", nil, "Observation", about, "p"},
		{"a number alone", nil, "Observation", `,"subject":{"identifier":` + identified(number) + `}`, "nhs:" + number},
		{"a number of another source's Patient", patient("p", "RX2", identified(number)), "Observation", `,"subject":{"identifier":` + identified(number) + `}`, "nhs:" + number},
		{"an invalid number", nil, "Observation", `,"subject":{"identifier":` + identified("9990000019") + `}`, "Observation/x"},
		{"nobody", nil, "Practitioner", ``, "Practitioner/x"},
	} {
		r := newRecord(t)
		if c.stored != nil {
			c.stored(r)
		}
		if got := r.describe(c.typ, "x", "RX1", c.body).RowID.Partition; got != index.PartitionOf(c.want) {
			t.Errorf("%s: got partition %x, want that of %s", c.name, got, c.want)
		}
	}
	r := newRecord(t)
	patient("p", "RX2", identified(number))(r)
	if got := r.describe("Observation", "x", "RX2", about).RowID.Partition; got != index.PartitionOf("nhs:"+number) {
		t.Errorf("a number that does not count: got partition %x, want that of the number", got)
	}
}

// TestOtherPartition: a reference parameter that refers to a Patient who may be in another partition has a key.
func TestOtherPartition(t *testing.T) {
	stray := func(r *record, source, body string) bool {
		x := r.keyer.Index
		where, err := x.CrossPartitionRefs("Observation", "subject")
		if err != nil {
			t.Fatal(err)
		}
		return store.Match(where, r.describe("Observation", "x", source, body).Keys)
	}
	for source, want := range map[string]bool{"RX1": false, "RX2": true} {
		r := newRecord(t)
		r.put("Patient", "p", "RX1", `,"identifier":[`+identified(number)+`]`)
		if got := stray(r, source, `,"subject":{"reference":"Patient/p"}`); got != want {
			t.Errorf("a row of %s about a Patient of RX1: got %v, want %v", source, got, want)
		}
	}
	if !stray(newRecord(t), "RX1", `,"subject":{"reference":"Patient/p"}`) {
		t.Error("a row about a missing Patient has no key")
	}
	r := newRecord(t)
	r.put("Patient", "p", "RX1", `,"identifier":[`+identified(number)+`,{"system":"http://local","value":"1"}]`)
	r.keyer.Identity = nil
	r.put("Patient", "p", "RX1", `,"identifier":[`+identified(number)+`]`)
	if stray(r, "RX2", `,"subject":{"reference":"Patient/p"}`) {
		t.Error("without an identity policy every row is in the partition of the Patient that it names first")
	}
}
