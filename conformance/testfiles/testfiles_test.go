package testfiles_test

import (
	"os"
	"path/filepath"
	"testing"

	"carerecord/conformance/testfiles"
)

// TestSkip: a test whose data is missing is skipped and listed with its package and its data.
func TestSkip(t *testing.T) {
	file := filepath.Join(t.TempDir(), "skipped")
	t.Setenv("CARERECORD_SKIPPED_FILE", file)
	skipped := false
	t.Run("without data", func(t *testing.T) {
		defer func() { skipped = t.Skipped() }()
		testfiles.Shared(t, "no/such/*.json")
	})
	if !skipped {
		t.Error("a test without its data is not skipped")
	}
	got, err := os.ReadFile(file)
	want := "conformance/testfiles TestSkip/without_data: ../shared/no/such/*.json\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v in the list of skipped tests, want %q", got, err, want)
	}
}
