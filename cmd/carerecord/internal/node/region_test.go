package node

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/conformance/synth"
	"carerecord/conformance/validate"
	"carerecord/consent"
	"carerecord/interop/load"
	"carerecord/store"
)

// openRegionNode opens a new guarded record with the sample region's policy.
func openRegionNode(t *testing.T) *Node {
	t.Helper()
	dir := t.TempDir()
	address, err := ParseAddress("pebble:" + filepath.Join(dir, "record"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Address: address, PublicURL: "http://127.0.0.1:8080", Auth: AuthDemo, Log: slog.New(slog.DiscardHandler)}
	if err := cfg.FillFolders(); err != nil {
		t.Fatal(err)
	}
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// loadRegion streams a region into a record.
func loadRegion(t *testing.T, n *Node, cfg synth.Config) (*load.Report, error) {
	t.Helper()
	bundles := func(yield func(load.SourceBundle) bool) {
		for b := range synth.Region(cfg) {
			if !yield(load.SourceBundle{Source: b.Source, Name: b.Name, Bundle: b.Body}) {
				return
			}
		}
	}
	return load.Bundles(t.Context(), bundles, (&Loader{node: n, mode: validate.Strict}).Sender, func(int) {})
}

// TestRegionLoads streams a region of each shape into a guarded record, each bundle as the source
// system of its organisation: no bundle is refused, all resources are stored, and a second stream
// is skipped.
func TestRegionLoads(t *testing.T) {
	for name, cfg := range map[string]synth.Config{
		"one patient":        {Patients: 90, Seed: 1},
		"patient per source": {Patients: 110, Seed: 1, Shape: synth.PatientPerSource}, // one has a superseded number
	} {
		t.Run(name, func(t *testing.T) {
			if raced {
				cfg.Patients = 10
			}
			testRegionLoads(t, cfg)
		})
	}
}

func testRegionLoads(t *testing.T, cfg synth.Config) {
	n := openRegionNode(t)
	report, err := loadRegion(t, n, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Refused) > 0 {
		t.Fatalf("%d bundles were refused: %+v", len(report.Refused), report.Refused[0])
	}
	want := 0
	for b := range synth.Region(cfg) {
		want += int(gjson.GetBytes(b.Body, "entry.#").Int())
	}
	if report.Resources != want {
		t.Errorf("got %d resources, want %d", report.Resources, want)
	}
	t.Logf("%d resources of %d patients: %.0f resources/s", want, cfg.Patients, float64(want)/report.Took.Seconds())
	for b := range synth.Region(cfg) {
		checkStored(t, n, b)
	}
	again, err := loadRegion(t, n, cfg)
	if err != nil || again.Skipped != again.Bundles || again.Resources != 0 {
		t.Errorf("got %+v, %v from a second stream, want every bundle skipped", again, err)
	}
}

// checkStored checks that the first and the last resource of a bundle are stored with their
// source.
func checkStored(t *testing.T, n *Node, b synth.Bundle) {
	t.Helper()
	urls := gjson.GetBytes(b.Body, "entry.#.request.url").Array()
	err := n.engine.Read(t.Context(), func(s store.Snapshot) error {
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

// TestRegionAndSampleInOneRecord: the sample of a demonstration and a region can be loaded into one
// record, and share no patient.
func TestRegionAndSampleInOneRecord(t *testing.T) {
	n := openRegionNode(t)
	numbers := map[string]bool{}
	for b := range synth.Sample(synth.Config{Patients: regionPatients, Seed: 1}) {
		if out := n.loadBundle(t.Context(), b.Source, "", b.Body, validate.Strict); len(out.Refused) > 0 || out.Failed != "" {
			t.Fatalf("sample: %+v", out)
		}
		numbers[gjson.GetBytes(b.Body, `entry.0.resource.identifier.0.value`).Str] = true
	}
	report, err := loadRegion(t, n, synth.Config{Patients: 3, Seed: 1})
	if err != nil || len(report.Refused) > 0 {
		t.Fatalf("region: %+v, %v", report, err)
	}
	for b := range synth.Region(synth.Config{Patients: 3, Seed: 1}) {
		if first := gjson.GetBytes(b.Body, "entry.0.resource"); first.Get("resourceType").Str == "Patient" && numbers[first.Get("identifier.0.value").Str] {
			t.Errorf("the NHS number of %s is one of the sample's", first.Get("id").Str)
		}
	}
}

// TestPolicyHasTheSourceSystemsOfTheRegion: every source has a client with its id prefix.
func TestPolicyHasTheSourceSystemsOfTheRegion(t *testing.T) {
	f := samplePolicy()
	for _, o := range append(synth.Sources(), synth.PatientIndex()) {
		c, ok := f.Client(o.ClientID)
		if !ok || c.Organisation != o.ODS || c.IDPrefix != o.IDPrefix || c.Flow != consent.FlowIngest {
			t.Errorf("%s: got %+v, want its source system", o.ODS, c)
		}
	}
}
