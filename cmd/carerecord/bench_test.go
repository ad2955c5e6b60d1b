package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"carerecord/bench"
	"carerecord/synth"
)

// TestBenchMeasuresEveryRow runs the benchmarks for a moment: every row has
// both sides, and a ratio. Times are not judged.
func TestBenchMeasuresEveryRow(t *testing.T) {
	report := measure(t, benchCmd{Seconds: 0.05, Dir: t.TempDir()})
	complete(t, report)
	if report.Disk != nil {
		t.Errorf("got %+v for the disk, want nothing without --data", report.Disk)
	}
}

// TestBenchLoadsAllData gives --data five files: all of what is in them is
// loaded, and the disk is measured.
func TestBenchLoadsAllData(t *testing.T) {
	dir, want := t.TempDir(), 0
	for b := range synth.Sample(synth.Config{Patients: 5, Seed: 3}) {
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
		t.Errorf("the command left %v behind", left)
	}
	var report bench.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	return report
}

func complete(t *testing.T, report bench.Report) {
	t.Helper()
	for _, name := range []string{"read by id", "search of a patient", "create, 8", "read, trail", "create, trail", "load of"} {
		found := false
		for _, row := range report.Rows {
			if !strings.HasPrefix(row.Name, name) {
				continue
			}
			found = true
			if row.Ratio <= 0 || row.Low <= 0 || row.High < row.Low {
				t.Errorf("%s: got the ratio %g, of rounds %g to %g", row.Name, row.Ratio, row.Low, row.High)
			}
			for side, f := range map[string]bench.Figure{row.Name: row.Subject, row.Limit: row.Beside} {
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
