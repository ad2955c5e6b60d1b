package load

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tidwall/gjson"
)

// TestFilesOfPatientsFirst: Patients of a bulk export are loaded before files whose names come earlier, in every
// folder, so that the other resources find them.
func TestFilesOfPatientsFirst(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"Condition.ndjson", "a/Patient.001.ndjson", "Observation.ndjson", "Patient.ndjson", "PatientNote.ndjson"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(`{"resourceType":"Basic","id":"`+filepath.Base(name)+`"}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	report, err := Files(context.Background(), []string{dir}, func(_ context.Context, _ string, bundle []byte) (Outcome, error) {
		got = append(got, gjson.GetBytes(bundle, "entry.0.resource.id").Str)
		return Outcome{Resources: 1}, nil
	}, func(int) {})
	want := []string{"Patient.ndjson", "Patient.001.ndjson", "Condition.ndjson", "Observation.ndjson", "PatientNote.ndjson"}
	if err != nil || report.Files != len(want) || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}
