package facts

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carerecord/consent/policy"
	"carerecord/fhir/index"
	"carerecord/store"
	"carerecord/store/storetest"
)

const (
	base   = "https://record.test/fhir"
	number = "9990000018"
	optOut = `"status":"active","scope":{"coding":[{"code":"patient-privacy"}]},"category":[{"coding":[{"system":"http://snomed.info/sct","code":"416409005"}]}],` +
		`"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTOUT"}]}`
)

// record is a store whose documents are keyed when they are written.
type record struct {
	t     testing.TB
	db    *storetest.Reference
	keyer *Keyer
}

func newRecord(t testing.TB) *record {
	x, err := index.New(index.Config{Base: base})
	if err != nil {
		t.Fatal(err)
	}
	return &record{t: t, db: storetest.NewReference(nil), keyer: &Keyer{Index: x, FHIRBase: base, Identity: policy.DefaultIdentity("RX1")}}
}

// describe returns the next version of a document with its keys, not stored.
func (r *record) describe(typ, id, source, body string) store.Doc {
	r.t.Helper()
	ctx := r.t.Context()
	d := store.Doc{Ref: store.Ref{Type: typ, ID: id}, Version: 1, Updated: time.UnixMilli(0).UTC(), Origin: store.Created, Source: source,
		Body: []byte(`{"resourceType":"` + typ + `","id":"` + id + `"` + body + `}`)}
	err := r.db.Read(ctx, func(snap store.Snapshot) error {
		if old, err := snap.Get(ctx, d.Ref); err == nil {
			d.Version, d.Origin, d.Keys = old.Version+1, store.Updated, old.Keys
		}
		row, err := r.keyer.Extract(d)
		if err != nil {
			return err
		}
		keyed, err := r.keyer.Describe(ctx, r.keyer.Snapshot(snap), d, row)
		d.Keys, d.RowID = keyed.Keys, keyed.RowID
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// put stores a document. body is what follows the id.
func (r *record) put(typ, id, source, body string) store.Doc {
	r.t.Helper()
	return r.commit(r.describe(typ, id, source, body))
}

func (r *record) commit(d store.Doc) store.Doc {
	r.t.Helper()
	if _, err := r.db.Commit(r.t.Context(), store.Batch{Writes: []store.Write{{Doc: d, Expect: d.Version - 1}}}); err != nil {
		r.t.Fatal(err)
	}
	return d
}

func (r *record) delete(d store.Doc) {
	r.t.Helper()
	d.Version, d.Origin, d.Body = d.Version+1, store.Deleted, nil
	r.commit(d)
}

func (r *record) read(f func(ctx context.Context, snap store.Snapshot) error) {
	r.t.Helper()
	if err := r.db.Read(r.t.Context(), func(snap store.Snapshot) error { return f(r.t.Context(), snap) }); err != nil {
		r.t.Fatal(err)
	}
}

// spell returns the facts of some keys in one line.
func spell(keys []store.Key) string {
	var out []string
	for _, class := range []struct {
		word   string
		prefix store.Key
	}{
		{"owner ", index.OwnerPrefix()}, {"patient ", index.PatientPrefix()}, {"number ", index.NumberPrefix()}, {"about ", index.AboutPrefix()}, {"mention ", index.MentionPrefix()},
		{"depends ", index.DependsOnPrefix()}, {"covers ", index.CoversPrefix()}, {"bears ", index.BearsPrefix()}, {"labelled ", index.LabelledPrefix()},
	} {
		for _, name := range index.Names(keys, class.prefix) {
			out = append(out, class.word+name)
		}
	}
	for _, fact := range index.NamedFacts() {
		if Has(keys, fact.Name) {
			out = append(out, fact.Name)
		}
	}
	return strings.Join(out, ", ")
}

func identified(number string) string {
	return `{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"` + number + `"}`
}

func labelled(code string) string { return `,"meta":{"security":[{"code":"` + code + `"}]}` }

// TestDescribe: the facts of a document follow from its body and from the documents to which it refers.
func TestDescribe(t *testing.T) {
	const plain = "ordinary, released, shared"
	subject := func(reference string) string { return `,"status":"final","code":{"text":"x"},"subject":` + reference }
	patient := func(id, number string) func(*record) {
		return func(r *record) { r.put("Patient", id, "RX1", `,"identifier":[`+identified(number)+`]`) }
	}
	for _, c := range []struct {
		name   string
		stored []func(*record)
		typ    string
		body   string
		want   string
	}{
		{"CON-406 the subject is the owner", []func(*record){patient("p", number)}, "Observation", subject(`{"reference":"Patient/p"}`), "owner nhs:" + number + ", patient p, resolved, " + plain},
		{"a missing Patient is a name and no owner, and the document depends on its address", nil, "Observation", subject(`{"reference":"Patient/p"}`), "about p, depends Patient/p, " + plain + ", apart"},
		{"an NHS number that one Patient has", []func(*record){patient("p", number)}, "Observation", subject(`{"identifier":` + identified(number) + `}`),
			"owner nhs:" + number + ", resolved, " + plain + ", apart, by-number"},
		{"IDN-110 an NHS number that no Patient has", nil, "Observation", subject(`{"identifier":` + identified(number) + `}`), "owner nhs:" + number + ", resolved, " + plain + ", apart, by-number"},
		{"an NHS number with a wrong check digit resolves no owner", nil, "Observation", subject(`{"identifier":` + identified("9990000001") + `}`), "about nhs:9990000001, " + plain + ", apart"},
		{"IDN-111 the own Patient does not bear the number beside its id", []func(*record){patient("p", number)}, "Observation", subject(`{"reference":"Patient/p","identifier":` + identified("9990000026") + `}`), "owner nhs:" + number + ", patient p, about nhs:9990000026, mention nhs:9990000026, " + plain + ", apart"},
		{"IDN-111 the own Patient bears the number beside its id", []func(*record){patient("p", number)}, "Observation", subject(`{"reference":"Patient/p","identifier":` + identified(number) + `}`), "owner nhs:" + number + ", patient p, resolved, " + plain},
		{"IDN-111 the Patient of another source is not compared", []func(*record){func(r *record) { r.put("Patient", "p", "RX2", `,"identifier":[`+identified(number)+`]`) }}, "Observation", subject(`{"reference":"Patient/p","identifier":` + identified("9990000026") + `}`), "owner p, patient p, about nhs:9990000026, mention nhs:9990000026, resolved, " + plain + ", apart"},
		{"IDN-103 a Patient of a source that does not trace", []func(*record){func(r *record) { r.put("Patient", "p", "RX2", `,"identifier":[`+identified(number)+`]`) }}, "Observation", subject(`{"reference":"Patient/p"}`), "owner p, patient p, resolved, " + plain},
		{"IDN-105 a contradicted Patient has no resolved documents", []func(*record){func(r *record) {
			r.put("Patient", "p", "RX1", `,"identifier":[`+identified(number)+`,`+identified("9990000026")+`]`)
		}}, "Observation", subject(`{"reference":"Patient/p"}`), "owner p, patient p, " + plain + ", apart"},
		{"an identifier of another system resolves no owner", []func(*record){patient("p", number)}, "Observation", subject(`{"identifier":{"system":"https://local.test/","value":"7"}}`),
			"about id:https://local.test|7, about id:|7, " + plain + ", apart"},
		{"a Patient who is not the subject is a mention", []func(*record){patient("p", number), patient("q", "9990000026")}, "Observation", subject(`{"reference":"Patient/p"}`) + `,"performer":[{"reference":"Patient/q"}]`,
			"owner nhs:" + number + ", patient p, mention q, resolved, " + plain + ", apart"},
		{"a List inherits the owners of its entries and depends on them; its partition is its own", []func(*record){patient("p", number), func(r *record) { r.put("Observation", "o", "RX1", subject(`{"reference":"Patient/p"}`)) }}, "List",
			`,"status":"current","mode":"working","entry":[{"item":{"reference":"Observation/o"}}]`, "owner nhs:" + number + ", patient p, depends Observation/o, resolved, " + plain + ", apart"},
		{"a List with a missing entry is not resolved", []func(*record){patient("p", number)}, "List", `,"status":"current","mode":"working","subject":{"reference":"Patient/p"},"entry":[{"item":{"reference":"Observation/o"}}]`,
			"owner nhs:" + number + ", patient p, depends Observation/o, " + plain + ", apart"},
		{"a Practitioner has no owner and is resolved", nil, "Practitioner", ``, "resolved, " + plain},
		{"CON-703 a sensitivity label hides like R", []func(*record){patient("p", number)}, "Observation", labelled("HIV") + subject(`{"reference":"Patient/p"}`), "owner nhs:" + number + ", patient p, labelled nhs:" + number + ", resolved, released, shared, apart"},
		{"the label NOPAT hides from patients only", []func(*record){patient("p", number)}, "Observation", labelled("NOPAT") + subject(`{"reference":"Patient/p"}`), "owner nhs:" + number + ", patient p, labelled nhs:" + number + ", resolved, ordinary, shared"},
		{"CON-703 a label of a Patient restricts the record", nil, "Patient", labelled("R"), "owner x, patient x, resolved, released, shared, restricted, apart"},
		{"a Patient has the names of current and former identifiers", []func(*record){patient("x", "9990000026")}, "Patient", `,"identifier":[` + identified(number) + `]`,
			"owner nhs:" + number + ", patient x, number nhs:" + number + ", bears nhs:" + number + ", bears nhs:9990000026, resolved, " + plain},
		{"a Consent that opts out is a directive that covers its patient", []func(*record){patient("p", number)}, "Consent", `,` + optOut + `,"patient":{"reference":"Patient/p"}`,
			"owner nhs:" + number + ", patient p, covers p, resolved, ordinary, released, directive-optout, apart"},
		{"a Provenance of a directive is not shared", []func(*record){patient("p", number), func(r *record) { r.put("Consent", "c", "RX1", `,`+optOut+`,"patient":{"reference":"Patient/p"}`) }}, "Provenance",
			`,"target":[{"reference":"Consent/c"}]`, "owner nhs:" + number + ", patient p, depends Consent/c, resolved, ordinary, released, apart"},
		{"SMART-257 a Binary without parents is not resolved", nil, "Binary", `,"contentType":"text/plain"`, "ordinary, released, shared, apart"},
		{"SMART-257 a Binary inherits from a document of its source that attaches it", []func(*record){patient("p", number), attaching("RX1", "")}, "Binary", `,"contentType":"text/plain"`, "owner nhs:" + number + ", patient p, resolved, " + plain + ", apart"},
		{"SMART-257 a document of another source is no parent", []func(*record){patient("p", number), attaching("RX2", "")}, "Binary", `,"contentType":"text/plain"`, plain + ", apart"},
		{"SMART-257 a Binary has the labels of its parents", []func(*record){patient("p", number), attaching("RX1", labelled("R"))}, "Binary", `,"contentType":"text/plain"`, "owner nhs:" + number + ", patient p, labelled nhs:" + number + ", resolved, released, shared, apart"},
		{"SMART-257 the securityContext replaces the documents that attach a Binary", []func(*record){patient("p", number), attaching("RX1", "")}, "Binary", `,"contentType":"text/plain","securityContext":{"reference":"Observation/none"}`,
			"depends Observation/none, " + plain + ", apart"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRecord(t)
			for _, put := range c.stored {
				put(r)
			}
			if diff := cmp.Diff(c.want, spell(r.describe(c.typ, "x", "RX1", c.body).Keys)); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}

// attaching stores a document of a source about Patient p that attaches Binary x.
func attaching(source, label string) func(*record) {
	return func(r *record) {
		r.put("DocumentReference", "d", source, label+`,"status":"current","subject":{"reference":"Patient/p"},"content":[{"attachment":{"url":"Binary/x"}}]`)
	}
}

// TestDeletedPatient: documents that name a deleted Patient keep the names of its identifiers and of its ties in both
// directions, so that directives still cover them (IDN-130), and are barred if the Patient was restricted.
func TestDeletedPatient(t *testing.T) {
	r := newRecord(t)
	r.delete(r.put("Patient", "p", "RX1", labelled("R")+`,"identifier":[`+identified(number)+`],"link":[{"other":{"reference":"Patient/q"},"type":"replaced-by"}]`))
	got := spell(r.describe("Observation", "o", "RX1", `,"subject":{"reference":"Patient/p"}`).Keys)
	if want := "about nhs:" + number + ", about p, about tied:RX1:p, about tied:RX1:q, depends Patient/p, labelled nhs:" + number + ", labelled p, labelled tied:RX1:p, labelled tied:RX1:q, released, shared, barred, apart"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestCrossTypeKeys: a query of all types finds the ordinary documents of a source and the irregular
// documents about a person.
func TestCrossTypeKeys(t *testing.T) {
	keys := func(facts ...string) []store.Key {
		out := []store.Key{index.OwnerKey("p"), index.DependsOnKey("Patient/q")}
		for _, name := range facts {
			out = append(out, index.FactKey(name))
		}
		return store.Sorted(out)
	}
	two := store.Sorted(append(keys(index.FactOrdinary), index.OwnerKey("q")))
	for _, c := range []struct {
		name           string
		typ            string
		keys           []store.Key
		source         string
		own, irregular bool
	}{
		{"an ordinary document of a source", "Observation", keys(index.FactOrdinary), "RX1", true, false},
		{"IDN-132 a directive is no care", "Consent", keys(index.FactOrdinary), "RX1", false, false},
		{"IDN-132 a Patient is no care", "Patient", keys(index.FactOrdinary), "RX1", false, false},
		{"an ordinary document of no source", "Observation", keys(index.FactOrdinary), "", false, false},
		{"a document that is not ordinary", "Observation", keys(), "RX1", false, true},
		{"a document with two owners", "Appointment", two, "RX1", true, true},
	} {
		got := withCrossTypeKeys(c.typ, slices.Clone(c.keys), c.source)
		for key, want := range map[store.Key]bool{index.SourceRowKey("p", c.source): c.own, index.IrregularKey("p"): c.irregular, index.CrossTypeDependsOnKey("Patient/q"): true} {
			if slices.Contains(got, key) != want {
				t.Errorf("%s: %s: got %v, want %v", c.name, index.Describe(key), !want, want)
			}
		}
	}
}
