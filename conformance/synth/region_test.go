package synth_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/conformance/synth"
	"carerecord/conformance/validate"
	"carerecord/fhir"
	"carerecord/fhir/ucum"
)

// eachShape runs a test for both shapes.
func eachShape(t *testing.T, test func(t *testing.T, shape synth.Shape)) {
	t.Run("one patient", func(t *testing.T) { test(t, synth.OnePatient) })
	t.Run("patient per source", func(t *testing.T) { test(t, synth.PatientPerSource) })
}

// resources yields the entries of a region with their sources.
func resources(shape synth.Shape, patients int) iter.Seq2[string, gjson.Result] {
	return func(yield func(string, gjson.Result) bool) {
		for b := range synth.Region(synth.Config{Patients: patients, Seed: 1, Shape: shape}) {
			for _, e := range gjson.GetBytes(b.Body, "entry").Array() {
				if !yield(b.Source, e) {
					return
				}
			}
		}
	}
}

// TestRegionIsValid: every bundle passes strict validation, has a bounded size and one source.
func TestRegionIsValid(t *testing.T) { eachShape(t, testRegionIsValid) }

func testRegionIsValid(t *testing.T, shape synth.Shape) {
	prefix := map[string]string{}
	for _, o := range append(synth.Sources(), synth.PatientIndex()) {
		prefix[o.ODS] = o.IDPrefix
	}
	bundles := 0
	for b := range synth.Region(synth.Config{Patients: 200, Seed: 1, Shape: shape}) {
		bundles++
		if _, err := fhir.Parse(b.Body); err != nil {
			t.Fatalf("%s %s: %v", b.Source, b.Name, err)
		}
		for _, i := range validate.Resource(b.Body, validate.Strict) {
			t.Fatalf("%s %s: got %s at %s: %s", b.Source, b.Name, i.Code, i.Expression, i.Text)
		}
		if n := gjson.GetBytes(b.Body, "entry.#").Int(); n < 1 || n > 100 {
			t.Errorf("%s %s: got %d resources, want 1 to 100", b.Source, b.Name, n)
		}
		for _, id := range gjson.GetBytes(b.Body, "entry.#.resource.id").Array() {
			if !strings.HasPrefix(id.Str, prefix[b.Source]) {
				t.Errorf("CON-1303: %s wrote the id %s, outside of its prefix %s", b.Source, id.Str, prefix[b.Source])
			}
		}
	}
	t.Logf("%d bundles", bundles)
}

// TestRegionIsConsistent: ids are unique, references resolve, and dates are after the birth of the
// patient and before now.
func TestRegionIsConsistent(t *testing.T) { eachShape(t, testRegionIsConsistent) }

func testRegionIsConsistent(t *testing.T, shape synth.Shape) {
	there, refs := map[string]bool{}, map[string]string{}
	now := time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)
	ref := regexp.MustCompile(`"reference":"([^"]+)"`)
	date := regexp.MustCompile(`"(\d{4}-\d\d-\d\d(T[0-9:]+Z)?)"`)
	born := map[string]string{} // by the id without the prefix of a source, from the first Patient: others can be wrong
	afterPrefix := func(ref string) string { return ref[strings.IndexByte(ref, '.')+1:] }
	for _, e := range resources(shape, 200) {
		r := e.Get("resource")
		self := r.Get("resourceType").Str + "/" + r.Get("id").Str
		if there[self] {
			t.Fatalf("%s is repeated", self)
		}
		there[self] = true
		if key := afterPrefix(self); r.Get("resourceType").Str == "Patient" && born[key] == "" {
			born[key] = r.Get("birthDate").Str
		}
		birth := born[afterPrefix(r.Get("subject.reference").Str+r.Get("patient.reference").Str)]
		for _, m := range ref.FindAllStringSubmatch(r.Raw, -1) {
			refs[m[1]] = self
		}
		for _, m := range date.FindAllStringSubmatch(r.Raw, -1) {
			at, err := time.Parse(time.RFC3339, m[1])
			if err != nil {
				at, err = time.Parse(time.DateOnly, m[1])
			}
			if err != nil || !at.Before(now) || m[1] < birth {
				t.Fatalf("%s: got the date %s, want one from %s to %s (%v)", self, m[1], birth, now, err)
			}
		}
	}
	for to, from := range refs {
		if !there[to] {
			t.Errorf("%s refers to %s, which does not exist", from, to)
		}
	}
	t.Logf("%d resources, %d targets of references", len(there), len(refs))
}

// TestRegionHasItsShape prints the shares of types and illnesses, and checks their order of
// magnitude.
func TestRegionHasItsShape(t *testing.T) {
	const patients = 1000
	each, age, types, sources, labels := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	numbers := map[string]bool{}
	total, labelled, size := 0, 0, 0
	for source, e := range resources(synth.OnePatient, patients) {
		r := e.Get("resource")
		typ := r.Get("resourceType").Str
		total++
		size += len(r.Raw)
		types[typ]++
		sources[source]++
		if typ == "Patient" {
			year, _ := strconv.Atoi(r.Get("birthDate").Str[:4])
			age["Patient/"+r.Get("id").Str] = 2026 - year
			numbers[r.Get("identifier.0.value").Str] = true
			each["Patient/"+r.Get("id").Str]++
		}
		each[r.Get("subject.reference").Str+r.Get("patient.reference").Str]++
		if r.Get("meta.security").Exists() {
			labelled++
			labels[r.Get("meta.security.1.code").Str]++
		}
	}
	delete(each, "")
	counts := slices.Sorted(maps.Values(each))
	if len(counts) != patients || len(numbers) != patients {
		t.Fatalf("got %d patients with %d NHS numbers, want %d", len(counts), len(numbers), patients)
	}
	sum, byAge := 0, map[string][2]int{}
	for id, n := range each {
		sum += n
		band := "65 and above"
		if age[id] < 18 {
			band = "below 18"
		} else if age[id] < 65 {
			band = "18 to 64"
		}
		byAge[band] = [2]int{byAge[band][0] + n, byAge[band][1] + 1}
	}
	mean, median, p95 := float64(sum)/patients, counts[patients/2], counts[patients*95/100]
	t.Logf("%d resources of %d bytes: a patient has %.0f, median %d, p95 %d, from %d to %d", total, size/total, mean, median, p95, counts[0], counts[patients-1])
	t.Logf("by age: %s", shares(byAge))
	t.Logf("types: %v", types)
	t.Logf("sources: %v", sources)
	t.Logf("labelled: %.2f%%: %v", 100*float64(labelled)/float64(total), labels)
	if mean < 170 || mean > 230 || median > int(mean) || p95 < 2*int(mean) {
		t.Errorf("got mean %.0f, median %d, p95 %d; want about 200, skewed to the right", mean, median, p95)
	}
	if share := float64(labelled) / float64(total); share < 0.006 || share > 0.02 {
		t.Errorf("got %.2f%% with a label, want about 1%%", 100*share)
	}
	if len(types) < 22 || len(sources) != len(synth.Sources()) || len(labels) < 9 {
		t.Errorf("got %d types, %d sources, %d labels", len(types), len(sources), len(labels))
	}
}

func shares(by map[string][2]int) string {
	var out []string
	for _, band := range slices.Sorted(maps.Keys(by)) {
		out = append(out, fmt.Sprintf("%s: %d people with %d resources each", band, by[band][1], by[band][0]/by[band][1]))
	}
	return strings.Join(out, "; ")
}

// TestRegionHasKnownUnits: package ucum parses every unit of the region (SRCH-087).
func TestRegionHasKnownUnits(t *testing.T) {
	unit := regexp.MustCompile(`"system":"http://unitsofmeasure.org","code":"([^"]*)"`)
	seen := map[string]bool{}
	for b := range synth.Region(synth.Config{Patients: 200, Seed: 1}) {
		for _, m := range unit.FindAllSubmatch(b.Body, -1) {
			seen[string(m[1])] = true
		}
	}
	if len(seen) < 10 {
		t.Errorf("got only the units %v", slices.Sorted(maps.Keys(seen)))
	}
	for code := range seen {
		if _, err := ucum.Parse(code); err != nil {
			t.Errorf("%q: %v", code, err)
		}
	}
}

// TestRegionIsTheSameForASeed: the same seed gives the same region, another seed another one, and a
// smaller region is a prefix of a larger one.
func TestRegionIsTheSameForASeed(t *testing.T) { eachShape(t, testRegionIsTheSameForASeed) }

func testRegionIsTheSameForASeed(t *testing.T, shape synth.Shape) {
	sum := func(patients int, seed uint64) string {
		h := sha256.New()
		if _, err := synth.Write(h, synth.Region(synth.Config{Patients: patients, Seed: seed, Shape: shape})); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	first := sum(60, 5)
	if again := sum(60, 5); again != first {
		t.Errorf("got %s and %s for the same seed", first, again)
	}
	if other := sum(60, 6); other == first {
		t.Error("two seeds give the same region")
	}
	var small, large strings.Builder
	for size, out := range map[int]io.Writer{60: &small, 61: &large} {
		if _, err := synth.Write(out, synth.Region(synth.Config{Patients: size, Seed: 5, Shape: shape})); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.HasPrefix(large.String(), small.String()) || large.Len() == small.Len() {
		t.Error("the region of 60 patients is not a prefix of that of 61")
	}
}

// BenchmarkRegion reports the number of resources that are generated in a second, for a region of
// 1,000 patients.
func BenchmarkRegion(b *testing.B) {
	n := 0
	for b.Loop() {
		made, err := synth.Write(io.Discard, synth.Region(synth.Config{Patients: 1000, Seed: 1}))
		if err != nil {
			b.Fatal(err)
		}
		n += made
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "resources/s")
}

// TestRegionFitsTheTestRange: the last patient of the largest region has a number of the range.
func TestRegionFitsTheTestRange(t *testing.T) {
	if n := synth.NHSNumbers(2001 + synth.MaxPatients)[2000+synth.MaxPatients]; len(n) != 10 || n[:3] != "999" {
		t.Errorf("got %s, want a number of the test range", n)
	}
}

func TestNHSNumbersHaveTheirCheckDigit(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range synth.NHSNumbers(2000) {
		sum := 0
		for i, d := range s[:9] {
			sum += int(d-'0') * (10 - i)
		}
		check := (11 - sum%11) % 11
		if len(s) != 10 || s[:3] != "999" || int(s[9]-'0') != check || seen[s] {
			t.Fatalf("CON-806: %s is not a number of the test range, or is repeated", s)
		}
		seen[s] = true
	}
}
