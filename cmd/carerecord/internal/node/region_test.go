package node

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
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
	return load.Bundles(t.Context(), Region(cfg), n.Loader(validate.Strict).Sender, func(int) {})
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

// TestDemonstration: IDN-161: the sample person signs in and is one person with the Patients of the
// practice and the trust; a larger region with the same seed adds the other people and skips those of
// the demonstration.
func TestDemonstration(t *testing.T) {
	n := openRegionNode(t)
	var welcome strings.Builder
	if err := n.loadDemo(t.Context(), &welcome); err != nil {
		t.Fatal(err)
	}
	person := synth.DemoPerson()
	in, err := n.guard.SignIn(t.Context(), person.NHSNumber, person.BirthDate)
	if err != nil || in.Patient != person.Patients[0].ID {
		t.Errorf("got %+v, %v, want the sign-in of %s", in, err, person.Patients[0].ID)
	}
	if in, err := n.guard.SignIn(t.Context(), person.NHSNumber, "1900-01-01"); err != nil || in.Patient != "" {
		t.Errorf("IDN-131, SMART-440: got %+v, %v with another birth date, want nobody", in, err)
	}
	for _, p := range person.Patients {
		if !strings.Contains(welcome.String(), p.ID) {
			t.Errorf("the welcome has no %s:\n%s", p.ID, &welcome)
		}
	}
	cfg := synth.Demo()
	report, err := loadRegion(t, n, cfg)
	if err != nil || report.Bundles == 0 || report.Skipped != report.Bundles {
		t.Errorf("got %+v, %v, want all bundles of the demonstration skipped", report, err)
	}
	cfg.Patients++
	if report, err = loadRegion(t, n, cfg); err != nil || report.Resources == 0 || len(report.Refused) > 0 {
		t.Errorf("got %+v, %v, want one more person", report, err)
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
