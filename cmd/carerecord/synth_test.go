package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"carerecord/conformance/synth"
)

// TestSynthWritesStreamsAndFolders: a stream has one bundle a line, with --source of one source;
// folders have the same bundles.
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
			t.Errorf("a line of the stream of XAC01 is of another source: %.80s", line)
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
