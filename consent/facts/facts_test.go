package facts

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carerecord/consent/policy"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/store"
)

func factKeys(names ...string) []store.Key {
	var keys []store.Key
	for _, name := range names {
		keys = append(keys, index.FactKey(name))
	}
	return store.Sorted(keys)
}

// TestIrregular: a document is regular only if the directives of one patient alone decide who sees it.
func TestIrregular(t *testing.T) {
	regular := append(factKeys(index.FactResolved, index.FactOrdinary, index.FactShared), index.OwnerKey("nhs:"+number), index.PatientKey("p"))
	home := index.PartitionOf("nhs:" + number)
	without := func(fact string) []store.Key {
		return slices.DeleteFunc(slices.Clone(regular), func(k store.Key) bool { return k == index.FactKey(fact) })
	}
	for _, c := range []struct {
		name string
		keys []store.Key
		at   store.Partition
		want bool
	}{
		{"one owner, in the partition of the person", regular, home, false},
		{"an owner is missing", without(index.FactResolved), home, true},
		{"a label", without(index.FactOrdinary), home, true},
		{"a directive", without(index.FactShared), home, true},
		{"another partition", regular, home + 1, true},
		{"a number alone", append(slices.Clone(regular), index.FactKey(index.FactByNumber)), home, true},
		{"two Patients of one person", append(slices.Clone(regular), index.PatientKey("q")), home, false},
		{"two owners", append(slices.Clone(regular), index.OwnerKey("q")), home, true},
		{"a mention", append(slices.Clone(regular), index.MentionKey("q")), home, true},
		{"another name", append(slices.Clone(regular), index.AboutKey("nhs:"+number)), home, true},
	} {
		keys := store.Sorted(slices.Clone(c.keys))
		if got := irregular(keys, c.at); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		if got := Has(MarkKeys(keys, c.at, false), index.FactIrregular); got != c.want {
			t.Errorf("%s: MarkKeys: got irregular %v, want %v", c.name, got, c.want)
		}
		marked := MarkKeys(keys, c.at, true)
		if !Has(marked, index.FactIrregular) || !Has(marked, index.FactRefersToLabelled) {
			t.Errorf("%s: a document that refers to a labelled one has facts %s, want points and apart", c.name, spell(marked))
		}
		if diff := cmp.Diff(MarkKeys(keys, c.at, false), MarkKeys(marked, c.at, false)); diff != "" {
			t.Errorf("%s: marks that were removed again (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestLabelHides: which labels count as hiding a row from staff and from patients (CON-1201).
func TestLabelHides(t *testing.T) {
	for _, c := range []struct {
		name, typ       string
		keys            []store.Key
		staff, patients bool
	}{
		{"no label", "Observation", factKeys(index.FactOrdinary, index.FactReleased), false, false},
		{"R", "Observation", factKeys(index.FactReleased), true, true},
		{"NOPAT", "Observation", factKeys(index.FactOrdinary), false, true},
		{"the labels of a Patient hide the record and not one row", "Patient", nil, false, false},
		{"R does not hide a directive from staff", "Consent", factKeys(index.FactReleased), false, false},
		{"NOPAT hides a directive that a source sent", "Consent", append(factKeys(index.FactInPerson), index.SourceKey("RX1")), false, true},
		{"NOPAT does not hide a directive from the patient who made it", "Consent", factKeys(index.FactInPerson), false, false},
	} {
		if staff, patients := LabelHides(c.typ, store.Sorted(c.keys)); staff != c.staff || patients != c.patients {
			t.Errorf("%s: got hidden from staff %v, patients %v, want %v, %v", c.name, staff, patients, c.staff, c.patients)
		}
	}
}

// TestNames: spellings of one identifier have one name, and a Consent may mean a Patient by its aliases.
func TestNames(t *testing.T) {
	const nhs = "https://fhir.nhs.uk/Id/nhs-number"
	for _, c := range []struct {
		name, system, value, want string
		aliases                   []string
	}{
		{"an NHS number", nhs, number, "nhs:" + number, nil},
		{"spaces in an NHS number", nhs, " 999 000 0018 ", "nhs:" + number, nil},
		{"a valid NHS number without a system", "", "9434765919", "nhs:9434765919", nil},
		{"the case and a final slash of a system", "HTTPS://Local.test/", "Ab", "id:https://local.test|Ab", []string{"id:|Ab"}},
		{"an NHS number under another system", "https://local.test", "9434765919", "id:https://local.test|9434765919", []string{"id:|9434765919", "nhs:9434765919"}},
		{"no value has no alias", "https://local.test", " ", "id:https://local.test|", nil},
	} {
		if got := IdentifierName(c.system, c.value); got != c.want {
			t.Errorf("%s: got name %q, want %q", c.name, got, c.want)
		}
		if diff := cmp.Diff(c.aliases, aliases(c.system, c.value)); diff != "" {
			t.Errorf("%s: aliases (-want +got):\n%s", c.name, diff)
		}
	}
	for name, want := range map[string][2]bool{"index:nhs:" + number: {false, true}, "Patient/p": {false, false}, "List/l": {true, false}, "id:|7": {true, true}, "p": {true, false}} {
		if got := [2]bool{IsDocumentName(name), IsIdentifierName(name)}; got != want {
			t.Errorf("%s: got document, identifier %v, want %v", name, got, want)
		}
	}
}

// TestHasNumberNow: a number counts while its identifier is neither old nor outside its period.
func TestHasNumberNow(t *testing.T) {
	now := time.Date(2025, 6, 15, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, extra string
		want        bool
	}{
		{"no period", ``, true},
		{"use old", `,"use":"old"`, false},
		{"a period that contains now", `,"period":{"start":"2025-06-14","end":"2025-06-16"}`, true},
		{"partial dates that contain now", `,"period":{"start":"2025","end":"2025-06"}`, true},
		{"the last day", `,"period":{"end":"2025-06-15"}`, true},
		{"a period that ended", `,"period":{"end":"2025-06-14"}`, false},
		{"a period that has not begun", `,"period":{"start":"2025-07"}`, false},
	} {
		body := []byte(`{"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"` + number + `"` + c.extra + `}]}`)
		if got := HasNumberNow(body, number, now); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		if HasNumberNow(body, "9990000026", now) {
			t.Errorf("%s: another number counts", c.name)
		}
	}
}

// TestNamesChanged: a write changes exactly the names whose dependents get other keys.
func TestNamesChanged(t *testing.T) {
	doc := func(typ string, version uint64, body string, keys ...store.Key) store.Doc {
		return store.Doc{Ref: store.Ref{Type: typ, ID: "x"}, Version: version, Body: []byte(body), Keys: store.Sorted(keys)}
	}
	deleted := func(d store.Doc) store.Doc {
		d.Version, d.Origin, d.Body = d.Version+1, store.Deleted, nil
		return d
	}
	owned, resolved := index.OwnerKey("p"), index.FactKey(index.FactResolved)
	first := doc("Observation", 1, `{}`, owned, resolved)
	of := func(source string, version uint64, body string, keys ...store.Key) store.Doc {
		d := doc("Patient", version, body, keys...)
		d.Source = source
		return d
	}
	joined, other := index.OwnerKey("nhs:"+number), index.OwnerKey("nhs:9990000026")
	indexed := of("PDS", 1, `{"birthDate":"1950-01-02"}`, joined)
	k := &Keyer{Identity: &policy.Identity{Index: "PDS"}}
	for _, c := range []struct {
		name        string
		now, before store.Doc
		want        []string
	}{
		{"a new document", first, store.Doc{}, []string{"Observation/x"}},
		{"an update with the same owners and facts", doc("Observation", 2, `{"a":1}`, owned, resolved, "\x01key"), first, nil},
		{"another owner", doc("Observation", 2, `{}`, index.OwnerKey("q"), resolved), first, []string{"Observation/x"}},
		{"a mention more", doc("Observation", 2, `{}`, owned, resolved, index.MentionKey("q")), first, []string{"Observation/x"}},
		{"another name more", doc("Observation", 2, `{}`, owned, resolved, index.AboutKey("nhs:"+number)), first, []string{"Observation/x"}},
		{"an inherited fact less", doc("Observation", 2, `{}`, owned), first, []string{"Observation/x"}},
		{"a number alone", doc("Observation", 2, `{}`, owned, resolved, index.FactKey(index.FactByNumber)), first, []string{"Observation/x"}},
		{"a deletion", deleted(first), first, []string{"Observation/x"}},
		{"a Patient of a practice with another number", of("RX1", 2, `{}`, other), of("RX1", 1, `{}`, joined), []string{"Patient/x"}},
		{"IDN-104 a new Patient of the patient index", indexed, store.Doc{}, []string{"Patient/x", "index:nhs:" + number}},
		{"IDN-104 another address at the patient index", of("PDS", 2, `{"birthDate":"1950-01-02","gender":"male"}`, joined), indexed, nil},
		{"IDN-104 another birth date at the patient index", of("PDS", 2, `{"birthDate":"1950-02-01"}`, joined), indexed, []string{"index:nhs:" + number}},
		{"IDN-104 another number at the patient index", of("PDS", 2, `{"birthDate":"1950-01-02"}`, other), indexed, []string{"Patient/x", "index:nhs:" + number, "index:nhs:9990000026"}},
		{"IDN-104 a deleted Patient of the patient index", deleted(indexed), indexed, []string{"Patient/x", "index:nhs:" + number}},
	} {
		if diff := cmp.Diff(c.want, k.NamesChanged(c.now, c.before)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestKeyOrder: every type is keyed after the types from which it inherits, except in cycles, which are
// keyed last and repeatedly.
func TestKeyOrder(t *testing.T) {
	if KeyOrder("Patient") != 0 {
		t.Errorf("Patient has position %d, want 0", KeyOrder("Patient"))
	}
	for _, typ := range r4.Resources() {
		for _, from := range index.InheritsFrom(typ) {
			if from != typ && KeyOrder(typ) <= KeyOrder(from) && KeyOrder(typ) != lastKeyOrder {
				t.Errorf("%s has position %d and inherits from %s with position %d", typ, KeyOrder(typ), from, KeyOrder(from))
			}
		}
	}
	for typ, want := range map[string]bool{"Patient": false, "Observation": false, "List": true} {
		if got := MayInheritFromItself(typ); got != want {
			t.Errorf("MayInheritFromItself(%s): got %v, want %v", typ, got, want)
		}
	}
}

// TestForLog: no log has an identifier of a person (identity.md, section 1).
func TestForLog(t *testing.T) {
	for name, want := range map[string]string{
		"Patient/p": "Patient/p", "owner:p": "owner:p", "attached:b": "attached:b", "index:nhs:" + number: "index:nhs:…", "labels:nhs:" + number: "labels:nhs:…",
		"labels:id:http://local|17": "labels:id:…", "labels:p": "labels:p",
	} {
		if got := ForLog(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
