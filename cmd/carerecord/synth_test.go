package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"carerecord/conformance/synth"
)

// TestSynthWritesStreamsAndFolders: a stream has one bundle a line, with --source of one source;
// folders have the same bundles.
func TestSynthWritesStreamsAndFolders(t *testing.T) {
	for name, shape := range map[string]synth.Shape{"single": synth.OnePatient, "region": synth.PatientPerSource} {
		t.Run(name, func(t *testing.T) { testStreamsAndFolders(t, shape) })
	}
}

func testStreamsAndFolders(t *testing.T, shape synth.Shape) {
	var all, one bytes.Buffer
	for out, source := range map[*bytes.Buffer]string{&all: "", &one: "XAC01"} {
		c := synthCmd{Patients: 5, Seed: 2, Out: "-", Source: source, Shape: shape}
		if err := c.run(t.Context(), out); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	folder := synthCmd{Patients: 5, Seed: 2, Out: dir, Shape: shape}
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

// TestSynthWritesTheTruth: IDN-160: --truth writes one line for each person, whichever source is
// selected, and needs a region in which people have more than one Patient.
func TestSynthWritesTheTruth(t *testing.T) {
	file := filepath.Join(t.TempDir(), "truth.ndjson")
	var region bytes.Buffer
	c := synthCmd{Patients: 120, Seed: 2, Out: "-", Source: synth.PatientIndex().ODS, Shape: synth.PatientPerSource, Truth: file}
	if err := c.run(t.Context(), &region); err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range bytes.Lines(body) {
		var person synth.Truth
		if err := json.Unmarshal(line, &person); err != nil || person.Person != n || len(person.Patients) < 2 {
			t.Fatalf("line %d: got %s (%v), want person %d with the Patients of the index and of a practice", n, line, err, n)
		}
		if id := person.Patients[0].ID; !bytes.Contains(region.Bytes(), []byte(`"id":"`+id+`"`)) {
			t.Errorf("%s is not in the stream of the patient index", id)
		}
		n++
	}
	if n != 120 {
		t.Errorf("got %d lines, want 120", n)
	}
	for name, c := range map[string]synthCmd{
		"single":           {Patients: 1, Out: "-", Truth: file},
		"no folder":        {Patients: 1, Out: "-", Truth: filepath.Join(file, "x"), Shape: synth.PatientPerSource},
		"index, if single": {Patients: 1, Out: "-", Source: synth.PatientIndex().ODS},
	} {
		if err := c.run(t.Context(), &bytes.Buffer{}); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
