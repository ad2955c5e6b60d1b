package aliases_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"carerecord/consent/aliases"
	"carerecord/consent/facts"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
	"carerecord/store/storetest"
)

const indexODS = "XPI"

func keyer() *facts.Keyer {
	identity := policy.DefaultIdentity("XGP")
	identity.Index = indexODS
	return &facts.Keyer{FHIRBase: "http://record.test/fhir", Identity: identity}
}

// name returns the name of the number of a Patient called by one letter.
func name(letter string) string { return facts.IdentifierName(fhir.NHSNumberSystem, number(letter)) }

// number returns a valid number for a letter.
func number(letter string) string {
	for check := range 20 {
		if n := fmt.Sprintf("9990%d%04d%d", check/10, letter[0], check%10); fhir.ValidNHSNumber(n) {
			return n
		}
	}
	panic("no valid number for " + letter)
}

// patient is a version of a Patient of the patient index as it is stored, from a text: the letter that is its id and number,
// then blanks and "replaces:x", "replaced-by:x", "labelled", "deleted", "joined-by:x", "from:ODS", "contradicted".
func patient(text string, version uint64) store.Doc {
	words := strings.Fields(text)
	d := store.Doc{Ref: store.Ref{Type: "Patient", ID: words[0]}, Version: version, Source: indexODS, Origin: store.Updated}
	d.RowID = index.PatientRowID(index.PartitionOf(name(words[0])), words[0])
	named, owner := map[string]bool{index.FactOrdinary: true, index.FactResolved: true}, name(words[0])
	var links []string
	for _, word := range words[1:] {
		kind, of, _ := strings.Cut(word, ":")
		switch kind {
		case "replaces", "replaced-by":
			links = append(links, `{"type":"`+kind+`","other":{"reference":"Patient/`+of+`"}}`)
			d.Keys = append(d.Keys, index.BearsKey(facts.TieName(indexODS, of)))
		case "labelled":
			delete(named, index.FactOrdinary)
		case "contradicted":
			delete(named, index.FactResolved)
		case "deleted":
			d.Origin = store.Deleted
		case "joined-by":
			owner = name(of)
		case "from":
			d.Source = of
		}
	}
	for fact := range named {
		d.Keys = append(d.Keys, index.FactKey(fact))
	}
	if d.Keys = store.Sorted(append(d.Keys, index.OwnerKey(owner))); d.Origin != store.Deleted {
		d.Body = []byte(`{"link":[` + strings.Join(links, ",") + `]}`)
	}
	return d
}

// record is a store of such Patients and the table of it.
type record struct {
	*testing.T
	store *storetest.Reference
	table *aliases.Table
	docs  map[string]store.Doc
}

func newRecord(t *testing.T, patients ...string) *record {
	r := &record{T: t, store: storetest.NewReference(nil), docs: map[string]store.Doc{}}
	var docs []store.Doc
	for _, text := range patients {
		docs = append(docs, patient(text, 1))
		r.docs[docs[len(docs)-1].Ref.ID] = docs[len(docs)-1]
	}
	r.store.Seed(docs)
	r.load()
	return r
}

func (r *record) load() {
	r.Helper()
	r.table = aliases.New(keyer())
	if err := r.table.Load(r.Context(), r.store); err != nil {
		r.Fatal(err)
	}
}

// put commits the next versions of some Patients and tells the table the outcome.
func (r *record) put(outcome error, texts ...string) {
	r.Helper()
	var writes []store.Write
	for _, text := range texts {
		old := r.docs[strings.Fields(text)[0]]
		d := patient(text, old.Version+1)
		r.docs[d.Ref.ID] = d
		writes = append(writes, store.Write{Doc: d, Expect: old.Version})
	}
	r.table.Begin(writes)
	if _, err := r.store.Commit(r.Context(), store.Batch{Writes: writes}); err != nil {
		r.Fatal(err)
	}
	r.table.Committed(r.Context(), r.store, writes, outcome)
}

// group returns the called of the numbers of a person, the surviving one first. Patients in hidden do not exist.
func (r *record) group(letter string, hidden ...string) string {
	r.Helper()
	group, err := r.table.Group(name(letter), func(ids []string) (docs []store.Doc, err error) {
		err = r.store.Read(r.Context(), func(snap store.Snapshot) error {
			for _, id := range ids {
				if d, err := snap.Get(r.Context(), store.Ref{Type: "Patient", ID: id}); err == nil && !slices.Contains(hidden, id) {
					docs = append(docs, d)
				}
			}
			return nil
		})
		return docs, err
	})
	if err != nil {
		r.Fatal(err)
	}
	out := ""
	for _, number := range group {
		for c := 'a'; c <= 'z'; c++ {
			if name(string(c)) == number {
				out += string(c)
			}
		}
	}
	return out
}

// TestGroup: which numbers act as one, by what the patient index says (IDN-134).
func TestGroup(t *testing.T) {
	for _, c := range []struct {
		name     string
		patients []string
		hidden   string
		want     string // the groups of a, b and c
	}{
		{"nothing is superseded", []string{"a", "b", "c"}, "", "a b c"},
		{"the old one says it", []string{"a replaced-by:b", "b", "c"}, "", "ba ba c"},
		{"the surviving one says it", []string{"a", "b replaces:a", "c"}, "", "ba ba c"},
		{"both say it", []string{"a replaced-by:b", "b replaces:a", "c"}, "", "ba ba c"},
		{"a chain", []string{"a replaced-by:b", "b replaced-by:c", "c"}, "", "cab cab cab"},
		{"one supersedes two", []string{"a", "b", "c replaces:a replaces:b"}, "", "cab cab cab"},
		{"two supersede one: none survives", []string{"a replaced-by:b replaced-by:c", "b", "c"}, "", "a b c"},
		{"each supersedes the other", []string{"a replaced-by:b", "b replaced-by:a", "c"}, "", "a b c"},
		{"a circle, and one more", []string{"a replaced-by:b", "b replaced-by:a", "c replaced-by:a"}, "", "a b c"},
		{"a labelled number is no alias", []string{"a replaced-by:b labelled", "b", "c"}, "", "a b c"},
		{"a labelled number has none", []string{"a replaced-by:b", "b labelled", "c"}, "", "a b c"},
		{"a deleted Patient says nothing", []string{"a replaced-by:b deleted", "b", "c"}, "", "a b c"},
		{"a contradicted Patient says nothing", []string{"a replaced-by:b contradicted", "b", "c"}, "", "a b c"},
		{"another source says nothing", []string{"a replaced-by:b from:XGP", "b", "c"}, "", "a b c"},
		{"a hidden Patient says nothing", []string{"a replaced-by:b", "b", "c"}, "b", "a b c"},
		{"the end of a chain is hidden", []string{"a replaced-by:b", "b replaced-by:c", "c"}, "c", "ba ba c"},
		{"two Patients of one number", []string{"a", "x joined-by:a replaced-by:b", "b", "c"}, "", "ba ba c"},
		{"a link to nobody", []string{"a replaced-by:z", "b", "c"}, "", "a b c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRecord(t, c.patients...)
			if got := r.group("a", c.hidden) + " " + r.group("b", c.hidden) + " " + r.group("c", c.hidden); got != c.want {
				t.Errorf("IDN-134: got %q, want %q", got, c.want)
			}
		})
	}
}

// TestCommitted: the table follows every commit, and is what a rebuild makes of the store.
func TestCommitted(t *testing.T) {
	for seed := range uint64(200) {
		r := newRecord(t)
		rng := rand.New(rand.NewPCG(seed, 134))
		ids := strings.Split("a b c d e", " ")
		var steps []string
		for range 40 {
			var batch []string
			for _, id := range rng.Perm(5)[:1+rng.IntN(3)] {
				text := ids[id]
				switch n := rng.IntN(10); {
				case n < 5:
					text += " " + []string{"replaces", "replaced-by"}[rng.IntN(2)] + ":" + ids[rng.IntN(5)]
				case n == 5:
					text += " deleted"
				case n == 6:
					text += " labelled replaced-by:" + ids[rng.IntN(5)]
				case n == 7:
					text += " joined-by:" + ids[rng.IntN(5)]
				}
				batch = append(batch, text)
			}
			steps = append(steps, strings.Join(batch, " and "))
			r.put(nil, batch...)
			if err := r.table.Check(t.Context(), r.store); err != nil {
				t.Fatalf("seed %d, after %s: %v", seed, strings.Join(steps, "; "), err)
			}
		}
	}
}

// TestUnknownOutcome: a commit of unknown outcome that was carried out is seen by the next View, and one that was not changes
// nothing.
func TestUnknownOutcome(t *testing.T) {
	r := newRecord(t, "a", "b")
	r.put(fmt.Errorf("connection lost: %w", store.ErrUnknown), "a replaced-by:b")
	if got := r.group("a"); got != "a" {
		t.Errorf("before a View: got %q, want a alone", got)
	}
	err := r.table.Settle(t.Context(), r.store)
	if got := r.group("a"); got != "ba" || err != nil {
		t.Errorf("after a View: got %q, %v, want ba", got, err)
	}
	failed := []store.Write{{Doc: patient("b replaces:a", 9)}}
	r.table.Begin(failed)
	r.table.Committed(t.Context(), r.store, failed, errors.New("disk"))
	if err := r.table.Check(t.Context(), r.store); err != nil {
		t.Errorf("after a commit that failed: %v", err)
	}
	r.put(nil, "a")
	if got := r.group("a"); got != "a" {
		t.Errorf("IDN-134: after the index withdrew it: got %q, want a alone", got)
	}
	if err := r.table.Check(t.Context(), r.store); err != nil {
		t.Error(err)
	}
}

// TestLinkedAtOnce: a Patient that is written while another commit links to it is followed, whichever commit ends first.
func TestLinkedAtOnce(t *testing.T) {
	r := newRecord(t, "a", "b labelled")
	write := func(text string) []store.Write {
		old := r.docs[strings.Fields(text)[0]]
		return []store.Write{{Doc: patient(text, old.Version+1), Expect: old.Version}}
	}
	link, change := write("a replaced-by:b"), write("b")
	r.table.Begin(link)
	r.table.Begin(change)
	for _, writes := range [][]store.Write{link, change} {
		if _, err := r.store.Commit(t.Context(), store.Batch{Writes: writes}); err != nil {
			t.Fatal(err)
		}
	}
	r.table.Committed(t.Context(), r.store, change, nil) // before the table has the link
	r.table.Committed(t.Context(), r.store, link, nil)
	if err := r.table.Check(t.Context(), r.store); err != nil || r.group("a") != "ba" {
		t.Errorf("got the group %s, %v; want ba", r.group("a"), err)
	}
}

// TestBetween: the numbers whose documents may be in some partitions are those of the partitions and the ones that links
// connect to them.
func TestBetween(t *testing.T) {
	r := newRecord(t, "a replaced-by:b", "b", "c replaced-by:d", "d", "e")
	for _, letter := range []string{"a", "b", "c", "d", "e"} {
		want := map[string][]string{"a": {name("a"), name("b")}, "b": {name("a"), name("b")}, "c": {name("c"), name("d")}, "d": {name("c"), name("d")}, "e": nil}[letter]
		partition := index.PartitionOf(name(letter))
		if got := r.table.Between(partition, partition); !slices.Equal(got, want) && len(got)+len(want) > 0 {
			t.Errorf("%s: got %v, want %v", letter, got, want)
		}
	}
	if got := r.table.Between(0, ^store.Partition(0)); len(got) != 4 || r.table.Has(name("e")) || !r.table.Has(name("b")) {
		t.Errorf("all partitions: got %v; e is in the table: %v", got, r.table.Has(name("e")))
	}
}
