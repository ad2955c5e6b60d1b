package facts

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"carerecord/fhir"
	"carerecord/store"
)

// TestTrackedReader: a batch with the conditions of a TrackedReader is a conflict if keys that were
// derived from its answers would be different, and only then.
func TestTrackedReader(t *testing.T) {
	const subject = `,"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"}`
	patient := func(r *record, id, numbers string) { r.put("Patient", id, "RX1", `,"identifier":[`+numbers+`]`) }
	newest := func(typ, id string) func(context.Context, *TrackedReader) error {
		return func(ctx context.Context, tracked *TrackedReader) error {
			_, err := tracked.Newest(ctx, store.Ref{Type: typ, ID: id})
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return err
		}
	}
	ofPerson := func(ctx context.Context, tracked *TrackedReader) error {
		_, err := tracked.PatientsOfPerson(ctx, "nhs:"+number, "RX1")
		return err
	}
	attachedBy := func(ctx context.Context, tracked *TrackedReader) error {
		_, err := tracked.AttachedBy(ctx, "x", "RX1")
		return err
	}
	for _, c := range []struct {
		name     string
		before   func(*record)
		read     func(context.Context, *TrackedReader) error
		between  func(*record)
		conflict bool
	}{
		{"nothing changes", func(r *record) { patient(r, "p", identified(number)) }, newest("Patient", "p"), func(*record) {}, false},
		{"a new version with the same facts is no conflict", func(r *record) { r.put("Observation", "o", "RX1", subject) }, newest("Observation", "o"),
			func(r *record) { r.put("Observation", "o", "RX1", `,"issued":"2020-01-01T00:00:00Z"`+subject) }, false},
		{"another owner", func(r *record) { r.put("Observation", "o", "RX1", subject) }, newest("Observation", "o"),
			func(r *record) { r.put("Observation", "o", "RX1", `,"subject":{"reference":"Patient/q"}`) }, true},
		{"a label", func(r *record) { r.put("Observation", "o", "RX1", subject) }, newest("Observation", "o"),
			func(r *record) { r.put("Observation", "o", "RX1", labelled("R")+subject) }, true},
		{"a deletion", func(r *record) { patient(r, "p", identified(number)) }, newest("Patient", "p"),
			func(r *record) { r.delete(r.get("Patient", "p")) }, true},
		{"a missing document is created", func(*record) {}, newest("Patient", "p"), func(r *record) { patient(r, "p", "") }, true},
		{"a Patient gets another number", func(r *record) { patient(r, "p", identified(number)) }, newest("Patient", "p"),
			func(r *record) { patient(r, "p", identified("9990000026")) }, true},
		{"a Patient with a former number does not change", func(r *record) { patient(r, "p", identified(number)); patient(r, "p", "") }, newest("Patient", "p"), func(*record) {}, false},
		{"a Patient gets a former number again", func(r *record) { patient(r, "p", identified(number)); patient(r, "p", "") }, newest("Patient", "p"),
			func(r *record) { patient(r, "p", identified(number)) }, true},
		{"IDN-104 the Patients of a person stay", func(r *record) { patient(r, "p", identified(number)) }, ofPerson, func(r *record) { r.put("Patient", "q", "RX1", "") }, false},
		{"IDN-104 a Patient of the person gets another version", func(r *record) { patient(r, "p", identified(number)) }, ofPerson, func(r *record) { patient(r, "p", identified(number)) }, true},
		{"IDN-104 a second Patient of the person comes", func(r *record) { patient(r, "p", identified(number)) }, ofPerson, func(r *record) { patient(r, "q", identified(number)) }, true},
		{"IDN-104 a first Patient of the person comes", func(*record) {}, ofPerson, func(r *record) { patient(r, "p", identified(number)) }, true},
		{"IDN-104 a Patient of another source does not count", func(*record) {}, ofPerson, func(r *record) { r.put("Patient", "q", "RX2", `,"identifier":[`+identified(number)+`]`) }, false},
		{"SMART-257 a document that attached a Binary no longer does", attaching("RX1", ""), attachedBy,
			func(r *record) {
				r.put("DocumentReference", "d", "RX1", `,"status":"current","subject":{"reference":"Patient/p"}`)
			}, true},
		{"SMART-257 a first document attaches a Binary", func(*record) {}, attachedBy, attaching("RX1", ""), true},
		{"SMART-257 a document of another source attaches it", func(*record) {}, attachedBy, attaching("RX2", ""), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRecord(t)
			c.before(r)
			var tracked *TrackedReader
			r.read(func(ctx context.Context, snap store.Snapshot) error {
				tracked = r.keyer.TrackedReader(snap)
				return c.read(ctx, tracked)
			})
			c.between(r)
			b := store.Batch{Writes: []store.Write{{Doc: r.describe("Basic", "new", "RX1", "")}}}
			tracked.AddConditions(&b)
			_, err := r.db.Commit(t.Context(), b)
			if got := errors.Is(err, store.ErrConflict); got != c.conflict || err != nil && !got {
				t.Errorf("commit: got %v, want a conflict: %v", err, c.conflict)
			}
		})
	}
}

func (r *record) get(typ, id string) (d store.Doc) {
	r.t.Helper()
	r.read(func(ctx context.Context, snap store.Snapshot) (err error) {
		d, err = snap.Get(ctx, store.Ref{Type: typ, ID: id})
		return err
	})
	return d
}

// TestAddConditionsWithoutOwnWrites: a batch has no condition on a document that it writes.
func TestAddConditionsWithoutOwnWrites(t *testing.T) {
	r := newRecord(t)
	d := r.put("Patient", "p", "RX1", "")
	r.read(func(ctx context.Context, snap store.Snapshot) error {
		tracked := r.keyer.TrackedReader(snap)
		tracked.RequireVersion(d)
		tracked.RequireVersion(store.Doc{Ref: store.Ref{Type: "Patient", ID: "q"}, Version: 3, KeyRevision: 2})
		b := store.Batch{Writes: []store.Write{{Doc: d}}}
		tracked.AddConditions(&b)
		want := []store.Check{{Ref: store.Ref{Type: "Patient", ID: "q"}, Version: 3, KeyRevision: 2}}
		if diff := cmp.Diff(want, b.Checks); diff != "" {
			t.Errorf("checks (-want +got):\n%s", diff)
		}
		return nil
	})
}

// TestReferencedLabelledRows: the labelled rows of a person to which a body refers are found in the store
// and in the batch, also when they are too many to be listed (CON-1201).
func TestReferencedLabelledRows(t *testing.T) {
	row := func(label, patient string) string {
		return label + `,"subject":{"reference":"Patient/` + patient + `"}`
	}
	stored := func(count int) func(*record) {
		return func(r *record) {
			r.put("Patient", "p", "RX1", "")
			r.put("Patient", "q", "RX1", "")
			r.put("Observation", "r", "RX1", row(labelled("R"), "p"))
			r.put("Observation", "n", "RX1", row(labelled("NOPAT"), "p"))
			r.put("Observation", "plain", "RX1", row("", "p"))
			r.put("Observation", "other", "RX1", row(labelled("R"), "q"))
			for i := range count {
				r.put("Observation", fmt.Sprint("more", i), "RX1", row(labelled("R"), "p"))
			}
		}
	}
	body := []byte(`{"resourceType":"List","entry":[{"item":{"reference":"Observation/r"}},{"item":{"reference":"Observation/n"}},{"item":{"reference":"Observation/plain"}},` +
		`{"item":{"reference":"Observation/other"}},{"item":{"reference":"Observation/new"}}]}`)
	observation := func(id string) fhir.Ref { return fhir.Ref{Type: "Observation", ID: id} }
	for _, more := range []int{0, maxLabelledRows + 1} {
		r := newRecord(t)
		stored(more)(r)
		batch := map[store.Ref]*store.Write{}
		for id, label := range map[string]string{"r": "", "new": labelled("R")} {
			d := r.describe("Observation", id, "RX1", row(label, "p"))
			batch[d.Ref] = &store.Write{Doc: d}
		}
		for _, c := range []struct {
			name    string
			batch   map[store.Ref]*store.Write
			persons []string
			want    map[fhir.Ref]HiddenFrom
		}{
			{"in the store", nil, []string{"p"}, map[fhir.Ref]HiddenFrom{observation("r"): {true, true}, observation("n"): {false, true}}},
			{"a batch that removes one label and adds another", batch, []string{"p"}, map[fhir.Ref]HiddenFrom{observation("n"): {false, true}, observation("new"): {true, true}}},
			{"rows about another person do not count", nil, []string{"q"}, map[fhir.Ref]HiddenFrom{observation("other"): {true, true}}},
		} {
			r.read(func(ctx context.Context, snap store.Snapshot) error {
				got, err := r.keyer.LabelledRows(snap, c.batch).Referenced(ctx, c.persons, body)
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s, %d more rows (-want +got):\n%s", c.name, more, diff)
				}
				return err
			})
		}
	}
}
