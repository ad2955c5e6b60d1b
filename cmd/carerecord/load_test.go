package main

import (
	"testing"

	"carerecord/conformance/synth"
)

// TestLoadNamesMistakes: flags that contradict each other are refused before a store is opened.
func TestLoadNamesMistakes(t *testing.T) {
	for name, c := range map[string]loadCmd{
		"nothing":               {},
		"synth and paths":       {Synth: 1, Path: []string{"x"}},
		"synth and a source":    {Synth: 1, Source: "XGP01"},
		"- and a path":          {Path: []string{"-", "x"}},
		"more than the numbers": {Synth: synth.MaxPatients + 1},
		"no source":             {Path: []string{"x"}, Store: "pebble:x"},
		"a source and a server": {Path: []string{"x"}, To: "http://127.0.0.1/fhir", Source: "XGP01"},
	} {
		if err := c.check(); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	for name, c := range map[string]loadCmd{"a stream": {Path: []string{"-"}, Source: "XGP01"}, "a region": {Synth: 5}, "files": {Path: []string{"a", "b"}, Source: "XGP01"}, "files for a server": {Path: []string{"a"}, To: "http://127.0.0.1/fhir"}} {
		if err := c.check(); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
