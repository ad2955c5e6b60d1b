package reindex_test

import (
	"encoding/json"
	"regexp"
	"testing"

	"carerecord/consent/reindex"
	"carerecord/store"
)

// TestProgress: an operator learns how far a walk is, and no number that depends on what
// documents hold (CON-206).
func TestProgress(t *testing.T) {
	place := func(share float64) *store.RowID { return &store.RowID{Partition: store.Partition(share * (1 << 48))} }
	for _, c := range []struct {
		name  string
		at    reindex.Walk
		phase string
		share float64
	}{
		{"begun", reindex.Walk{Type: "Patient"}, reindex.PhaseFirst, 0},
		{"of one of two types half", reindex.Walk{Types: []string{"Condition", "Observation"}, Type: "Condition", After: place(0.5)}, reindex.PhaseFirst, 0.25},
		{"in the second type", reindex.Walk{Types: []string{"Condition", "Observation"}, Type: "Observation"}, reindex.PhaseFirst, 0.5},
		{"in a later round", reindex.Walk{Round: 1, Type: "Binary"}, reindex.PhaseLater, 0.9},
		{"done", reindex.Walk{Done: true}, reindex.PhaseDone, 1},
	} {
		if got := c.at.Progress(); got.Phase != c.phase || got.Share < c.share-0.02 || got.Share > c.share+0.02 {
			t.Errorf("%s: got %+v, want %s and %v", c.name, got, c.phase, c.share)
		}
		sample, many := c.at, c.at
		sample.Read, sample.Rekeyed, many.Read, many.Rekeyed, many.Changed = 10, 0, 10, 9, true
		a, _ := json.Marshal(sample.Progress())
		b, _ := json.Marshal(many.Progress())
		if string(a) != string(b) || regexp.MustCompile(`read|rekeyed|changed|after`).Match(a) {
			t.Errorf("CON-206: %s: %s and %s tell how many documents stood under other keys", c.name, a, b)
		}
	}
}
