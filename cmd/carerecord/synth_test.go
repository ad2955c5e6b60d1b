package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/conformance/validate"
	"carerecord/consent"
	"carerecord/load"
	"carerecord/store"
	"carerecord/synth"
)

// regionStore opens a new guarded record with the sample region's policy.
func regionStore(t *testing.T) *record {
	t.Helper()
	dir := t.TempDir()
	place, err := placeOf("pebble:" + filepath.Join(dir, "record"))
	if err != nil {
		t.Fatal(err)
	}
	s := settings{place: place, publicURL: "http://127.0.0.1:8080", demo: true, log: slog.New(slog.DiscardHandler)}
	if err := s.folders(); err != nil {
		t.Fatal(err)
	}
	r, err := openRecord(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.close() })
	return r
}

// TestRegionLoads streams a region of 200 patients into a guarded record, each
// bundle as the feed of its organisation: nothing is refused, everything is
// there, and a second stream changes nothing.
func TestRegionLoads(t *testing.T) {
	patients := 200
	if raced {
		patients = 15
	}
	r := regionStore(t)
	c := loadCmd{Synth: patients, Seed: 1}
	to := func(source string) load.Sender { return r.sender(source, validate.Strict) }
	report, err := c.load(t.Context(), to, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Refused) > 0 {
		t.Fatalf("%d bundles were refused: %+v", len(report.Refused), report.Refused[0])
	}
	want := 0
	for b := range synth.Region(synth.Config{Patients: patients, Seed: 1}) {
		want += int(gjson.GetBytes(b.Body, "entry.#").Int())
	}
	if report.Resources != want {
		t.Errorf("got %d resources, want %d", report.Resources, want)
	}
	t.Logf("%d resources of %d patients: %.0f resources/s", want, patients, float64(want)/report.Took.Seconds())
	for b := range synth.Region(synth.Config{Patients: patients, Seed: 1}) {
		here(t, r, b)
	}
	again, err := c.load(t.Context(), to, func(int) {})
	if err != nil || again.Skipped != again.Bundles || again.Resources != 0 {
		t.Errorf("got %+v, %v from a second stream, want every bundle skipped", again, err)
	}
}

// here checks that the first and the last resource of a bundle stand, with
// their source.
func here(t *testing.T, r *record, b synth.Bundle) {
	t.Helper()
	urls := gjson.GetBytes(b.Body, "entry.#.request.url").Array()
	err := r.engine.Read(t.Context(), func(s store.Snap) error {
		for _, url := range []string{urls[0].Str, urls[len(urls)-1].Str} {
			typ, id, _ := bytes.Cut([]byte(url), []byte("/"))
			doc, err := s.Get(t.Context(), store.Ref{Type: string(typ), ID: string(id)})
			if err != nil || doc.Source != b.Source {
				t.Errorf("%s: got source %q, %v, want %s", url, doc.Source, err, b.Source)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRegionGoesBesideTheSample: the sample of a demonstration and a region are
// loaded into one record, and share no patient.
func TestRegionGoesBesideTheSample(t *testing.T) {
	r := regionStore(t)
	c := loadCmd{Synth: 3, Seed: 1}
	numbers := map[string]bool{}
	for b := range synth.Sample(synth.Config{Patients: regionPatients, Seed: 1}) {
		if out := r.loadBundle(t.Context(), b.Source, "", b.Body, validate.Strict); len(out.Refused) > 0 || out.Failed != "" {
			t.Fatalf("sample: %+v", out)
		}
		numbers[gjson.GetBytes(b.Body, `entry.0.resource.identifier.0.value`).Str] = true
	}
	report, err := c.load(t.Context(), func(source string) load.Sender { return r.sender(source, validate.Strict) }, func(int) {})
	if err != nil || len(report.Refused) > 0 {
		t.Fatalf("region: %+v, %v", report, err)
	}
	for b := range synth.Region(synth.Config{Patients: 3, Seed: 1}) {
		if first := gjson.GetBytes(b.Body, "entry.0.resource"); first.Get("resourceType").Str == "Patient" && numbers[first.Get("identifier.0.value").Str] {
			t.Errorf("the NHS number of %s is one of the sample's", first.Get("id").Str)
		}
	}
}

// TestSynthWritesStreamsAndFolders: a stream has one bundle a line, of one
// source where that is asked for; folders have the same bundles.
func TestSynthWritesStreamsAndFolders(t *testing.T) {
	var all, one bytes.Buffer
	for out, source := range map[*bytes.Buffer]string{&all: "", &one: "XAC01"} {
		c := synthCmd{Patients: 5, Seed: 2, Out: "-", Source: source}
		if err := c.run(t.Context(), out); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	folder := synthCmd{Patients: 5, Seed: 2, Out: dir}
	if err := folder.run(t.Context(), &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	if err != nil || len(files) != bytes.Count(all.Bytes(), []byte("\n")) {
		t.Errorf("got %d files (%v), want %d as in the stream", len(files), err, bytes.Count(all.Bytes(), []byte("\n")))
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(all.Bytes(), append(body, '\n')) {
			t.Errorf("%s is not in the stream (%v)", file, err)
		}
	}
	for line := range bytes.Lines(one.Bytes()) {
		if !bytes.Contains(all.Bytes(), line) || !bytes.Contains(line, []byte(`"id":"xac01.`)) {
			t.Errorf("a line of the stream of XAC01 is another's: %.80s", line)
		}
	}
	if one.Len() == 0 || one.Len() >= all.Len() {
		t.Errorf("got %d bytes of one source, %d of all", one.Len(), all.Len())
	}
	for _, c := range []synthCmd{{Patients: 0, Out: "-"}, {Patients: synth.MaxPatients + 1, Out: "-"}, {Patients: 1, Out: "-", Source: "XXX99"}} {
		if err := c.run(t.Context(), &bytes.Buffer{}); err == nil {
			t.Errorf("%+v: got no error", c)
		}
	}
}

// TestLoadNamesMistakes: what cannot be loaded together is said before a store
// is opened.
func TestLoadNamesMistakes(t *testing.T) {
	for name, c := range map[string]loadCmd{
		"nothing":               {},
		"synth and paths":       {Synth: 1, Path: []string{"x"}},
		"synth and a source":    {Synth: 1, Source: "XGP01"},
		"- beside a path":       {Path: []string{"-", "x"}},
		"more than the numbers": {Synth: synth.MaxPatients + 1},
	} {
		if err := c.check(); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	for name, c := range map[string]loadCmd{"a stream": {Path: []string{"-"}, Source: "XGP01"}, "a region": {Synth: 5}, "files": {Path: []string{"a", "b"}}} {
		if err := c.check(); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestPolicyHasTheFeedsOfTheRegion: every source has a feed with its id prefix.
func TestPolicyHasTheFeedsOfTheRegion(t *testing.T) {
	f := sample()
	for _, o := range synth.Sources() {
		c, ok := f.Client(o.Feed)
		if !ok || c.Organisation != o.ODS || c.IDPrefix != o.IDPrefix || c.Flow != consent.FlowIngest {
			t.Errorf("%s: got %+v, want its feed", o.ODS, c)
		}
	}
}
