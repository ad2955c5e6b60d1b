package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"carerecord/cmd/internal/bench"
	"carerecord/conformance/synth"
)

// TestBenchMeasuresEveryRow runs the benchmarks briefly: every row has both measurements, and a
// ratio. Times are not checked.
func TestBenchMeasuresEveryRow(t *testing.T) {
	report := measure(t, benchCmd{Seconds: 0.05, Dir: t.TempDir()})
	complete(t, report)
	if report.Disk != nil {
		t.Errorf("got %+v for the disk, want nothing without --data", report.Disk)
	}
}

// TestBenchLoadsAllData gives --data five files: all their resources are loaded, and the disk is
// measured.
func TestBenchLoadsAllData(t *testing.T) {
	dir, want := t.TempDir(), 0
	for b := range synth.Region(synth.Config{Patients: 5, Seed: 3}) {
		want += bytes.Count(b.Body, []byte(`"fullUrl"`))
		if err := os.WriteFile(filepath.Join(dir, b.Source+"-"+b.Name), b.Body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	report := measure(t, benchCmd{Seconds: 0.05, Data: dir, Dir: t.TempDir()})
	complete(t, report)
	if report.Disk == nil || report.Disk.Resources != want || report.Disk.Bytes <= 0 || report.Disk.PerResource <= 0 {
		t.Errorf("got %+v for the disk, want %d resources", report.Disk, want)
	}
	for _, row := range report.Rows {
		if strings.HasPrefix(row.Name, "load") && row.Subject.Operations != want {
			t.Errorf("%s: got %d resources, want %d", row.Name, row.Subject.Operations, want)
		}
	}
}

// measure runs the command and reads its JSON.
func measure(t *testing.T, c benchCmd) bench.Report {
	t.Helper()
	c.JSON = true
	var out bytes.Buffer
	if err := c.run(t.Context(), &out, 4); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(c.Dir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("the command did not delete %v", left)
	}
	var report bench.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	return report
}

func complete(t *testing.T, report bench.Report) {
	t.Helper()
	for _, name := range []string{"read by id", "search of a patient", "read by id, 8 clients, 6 Patients", "search of a person, 20 rows, 1 client, 6 Patients", "create, 8", "read, trail", "create, trail", "load of"} {
		found := false
		for _, row := range report.Rows {
			if !strings.HasPrefix(row.Name, name) {
				continue
			}
			found = true
			if row.Ratio <= 0 || row.Low <= 0 || row.High < row.Low {
				t.Errorf("%s: got the ratio %g, of rounds %g to %g", row.Name, row.Ratio, row.Low, row.High)
			}
			for side, f := range map[string]bench.Figure{row.Name: row.Subject, row.Limit: row.Baseline} {
				if f.Operations <= 0 || f.Took <= 0 || f.PerSecond <= 0 || f.P50 <= 0 || f.P99 < f.P50 || f.Allocs <= 0 {
					t.Errorf("%s, %s: got %+v, want positive figures", row.Name, side, f)
				}
			}
		}
		if !found {
			t.Errorf("there is no row %q", name)
		}
	}
}

// TestBenchMeasuresTheMix: every query of the mix is measured, or listed with its refusal. A query
// that finds nothing fails the run.
func TestBenchMeasuresTheMix(t *testing.T) {
	report := measure(t, benchCmd{Seconds: 0.02, Mix: true, Patients: 25, Dir: t.TempDir()})
	if report.Mix == nil || len(report.Rows) > 0 {
		t.Fatalf("got %+v, want the mix alone", report)
	}
	m := report.Mix
	if m.Patients != 25 || m.Resources < 1000 || m.Loading <= 0 || len(m.Queries) != 16 {
		t.Errorf("got %d patients, %d resources in %s, %d queries", m.Patients, m.Resources, m.Loading, len(m.Queries))
	}
	served := 0
	for _, q := range m.Queries {
		if q.Refused != "" {
			t.Logf("not served: %s: %s", q.Name, q.Refused)
			continue
		}
		served++
		if f := q.Figure; q.Rows < 1 || q.Bytes <= 0 || f.Operations <= 0 || f.P50 <= 0 || f.P99 < f.P50 {
			t.Errorf("%s: got %+v, want rows and positive figures", q.Name, q)
		}
	}
	if served < 13 {
		t.Errorf("got %d queries that are served, want 13 at least", served)
	}
	for name, c := range map[string]benchCmd{"with --only": {Only: "read", Patients: 1}, "without patients": {}} {
		c.Mix, c.Seconds, c.Dir = true, 0.02, t.TempDir()
		if err := c.run(t.Context(), &bytes.Buffer{}, 0); err == nil {
			t.Errorf("--mix %s: got no error", name)
		}
	}
}

// TestBenchLadder measures two small regions: each rung has every query, and the plot is drawn.
// Times are not checked.
func TestBenchLadder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ladder.svg")
	report := measure(t, benchCmd{Seconds: 0.05, Dir: t.TempDir(), Ladder: []int{20, 40}, Plot: file})
	if len(report.Ladder) != 2 {
		t.Fatalf("got %d rungs, want 2", len(report.Ladder))
	}
	for _, m := range report.Ladder {
		if m.Disk == nil || m.Disk.PerResource <= 0 || m.Clients != 4 || len(m.Queries) != 16 {
			t.Errorf("%d patients: got disk %+v, %d clients and %d queries, want 4 clients and 16 queries", m.Patients, m.Disk, m.Clients, len(m.Queries))
		}
		for _, q := range m.Queries {
			if q.Refused != "" || q.Figure.Operations == 0 || q.Rows <= 0 {
				t.Errorf("%d patients: %s: got %+v, want it measured", m.Patients, q.Name, q)
			}
		}
	}
	if plot, err := os.ReadFile(file); err != nil || bytes.Count(plot, []byte("<polyline")) != 16 {
		t.Errorf("got a plot of %d bytes (%v), want 16 lines in it", len(plot), err)
	}
}
