package index_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"carerecord/fhir/index"
	"carerecord/store"
)

// A contained Patient is found by subject.X exactly where the same Patient, stored
// on its own, is found by X, for all parameters of Patient, before a cut no less
// than after it (SRCH-135).
func TestContainedIsFoundAsStored(t *testing.T) {
	x := newIndexer(t)
	asks := patientAsks(t, x)
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		members := drawPatient(t)
		inner := `{"resourceType":"Patient","id":"p",` + strings.Join(members, ",") + `}`
		alone, err := x.Index("Patient", "p", now, []byte(inner))
		if err != nil {
			t.Fatal(err)
		}
		keys := container(t, x, inner)
		cut := container(t, x, `{"resourceType":"Patient","id":"p",`+strings.Join(members[:len(members)-1], ",")+`}`)
		for _, ask := range asks {
			want := store.Match(ask.pred, alone.Keys)
			if want {
				found++
			}
			for _, param := range []string{"subject", "patient"} {
				inside, err := x.RefersToContained("Observation", param, "Patient", ask.pred)
				if err != nil {
					t.Fatal(err)
				}
				if got := store.Match(inside, keys); got != want {
					t.Fatalf("%s.%s on %s: got %v, want %v as on its own", param, ask.text, inner, got, want)
				}
				if store.Match(inside, cut) && !store.Match(x.BeforeCut("Observation", inside), keys) {
					t.Fatalf("%s.%s is found when %s is cut, and not proposed before", param, ask.text, members[len(members)-1])
				}
			}
		}
	})
	if found == 0 {
		t.Error("nothing was ever found")
	}
}

type patientAsk struct {
	text string
	pred store.Pred
}

// patientAsks are values for every parameter of Patient but those of an instant and
// an id of its own, with modifiers.
func patientAsks(t *testing.T, x *index.Indexer) []patientAsk {
	values := map[index.Kind][]string{
		index.String: {"=ely", "=a", ":contains=l", ":exact=Ely", "=LS1"}, index.Token: {"=female", "=s|1", "=1", ":not=female", "=true", "=01134960000", "=en", ":text=eng"},
		index.DateTime: {"=1980", "=gt1980-02", "=lt1990"}, index.Reference: {"=Organization/1", "=1", ":identifier=s|1"}, index.URI: {"=http://p/1", ":below=http://p"},
	}
	var out []patientAsk
	for _, p := range x.Params("Patient") {
		if p.Code == "_id" || p.Code == "_lastUpdated" {
			continue
		}
		before := len(out)
		for _, v := range append([]string{":missing=true", ":missing=false"}, values[p.Kind]...) {
			pred, err := x.Predicate(parse(t, "Patient", p.Code+v))
			if err != nil {
				continue // not every parameter takes every modifier and every value
			}
			out = append(out, patientAsk{p.Code + v, pred})
		}
		if len(out)-before < 3 {
			t.Fatalf("%s is asked nothing", p.Code)
		}
	}
	return out
}

// drawPatient draws some members of a Patient.
func drawPatient(t *rapid.T) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
		`"active":true`, `"gender":"female"`, `"gender":"male"`, `"birthDate":"1980-02-03"`, `"birthDate":"1979"`, `"deceasedBoolean":true`, `"deceasedDateTime":"1985"`,
		`"name":[{"family":"Ely","given":["Ann"]},{"text":"Al"}]`, `"name":[{"family":"Ely Lane"}]`, `"identifier":[{"system":"s","value":"1"}]`, `"telecom":[{"system":"phone","value":"0113 496 0000"}]`,
		`"address":[{"city":"Ely","postalCode":"LS1 4AP"}]`, `"communication":[{"language":{"coding":[{"code":"en"}],"text":"English"}}]`, `"managingOrganization":{"reference":"Organization/1"}`,
		`"generalPractitioner":[{"identifier":{"system":"s","value":"1"}}]`, `"link":[{"other":{"reference":"Patient/1"},"type":"seealso"}]`, `"meta":{"profile":["http://p/1|2"],"tag":[{"system":"s","code":"1"}]}`,
	}), 2, 6, func(m string) string { name, _, _ := strings.Cut(m, ":"); return name }).Draw(t, "members")
}

// container are the keys of an Observation about a contained resource with id p.
func container(t rapid.TB, x *index.Indexer, inner string) []store.Key {
	t.Helper()
	row, err := x.Index("Observation", "o", now, []byte(`{"resourceType":"Observation","contained":[`+inner+`],"subject":{"reference":"#p"}}`))
	if err != nil {
		t.Fatal(err)
	}
	return row.Keys
}

// What is inside takes a bounded room: references in a circle, or among many, end,
// and what had no room is not found, negated neither (SRCH-133, 135).
func TestContainedTakesBoundedRoom(t *testing.T) {
	x := newIndexer(t)
	ask := func(query string) store.Pred {
		pred, err := x.Predicate(parse(t, "Patient", query))
		if err != nil {
			t.Fatal(err)
		}
		inside, err := x.RefersToContained("Observation", "subject", "Patient", pred)
		if err != nil {
			t.Fatal(err)
		}
		return inside
	}
	var many []string
	for i := range 60 {
		var links []string
		for j := range 60 {
			links = append(links, fmt.Sprintf(`{"other":{"reference":"#p%d"},"type":"seealso"}`, j))
		}
		many = append(many, fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","gender":"male","link":[%s]}`, i, strings.Join(links, ",")))
	}
	many[0] = strings.Replace(many[0], `"p0"`, `"p"`, 1)
	for name, c := range map[string]struct {
		inner string
		found bool
	}{
		"a circle": {`{"resourceType":"Patient","id":"p","gender":"male","link":[{"other":{"reference":"#p"},"type":"seealso"}]}`, true},
		"many":     {strings.Join(many, ","), false},
		"long":     {`{"resourceType":"Patient","id":"p","gender":"male","name":[{"text":"` + strings.Repeat("x", 2<<20) + `"}]}`, false},
	} {
		keys := container(t, x, c.inner)
		size := 0
		for _, k := range keys {
			size += len(k)
		}
		if size > 3<<20 {
			t.Errorf("%s: the keys take %d bytes", name, size)
		}
		if got := store.Match(ask("gender=male"), keys); got != c.found {
			t.Errorf("%s: got found %v, want %v", name, got, c.found)
		}
		if store.Match(ask("gender:not=male"), keys) {
			t.Errorf("%s: found by a negation that does not hold", name)
		}
		if !store.Match(x.BeforeCut("Observation", ask("gender:not=male")), keys) || !slices.IsSorted(keys) {
			t.Errorf("%s: not proposed before a cut", name)
		}
	}
}

// A parameter that a stored definition brings is indexed where its type is, so what
// is contained is not asked for it, negated neither.
func TestContainedIsNotAskedForDefinedParameters(t *testing.T) {
	x := newIndexer(t)
	d, err := x.Compile([]index.DefinedParam{{Number: index.FirstDefined, Type: "Patient", Code: "sex", Kind: index.Token, Expression: "Patient.gender", Phase: index.Complete}})
	if err != nil {
		t.Fatal(err)
	}
	x.Install(d)
	keys := container(t, x, `{"resourceType":"Patient","id":"p","gender":"male"}`)
	for query, want := range map[string]bool{"gender=male": true, "gender:not=female": true, "sex=male": false, "sex:not=female": false} {
		pred, err := x.Predicate(parse(t, "Patient", query))
		if err != nil {
			t.Fatal(err)
		}
		inside, err := x.RefersToContained("Observation", "subject", "Patient", pred)
		if err != nil || store.Match(inside, keys) != want {
			t.Errorf("subject.%s: got %v, %v, want %v", query, !want, err, want)
		}
	}
}
