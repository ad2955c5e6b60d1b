package reindex

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/store"
)

// Walk is the progress of a walk, as State holds it.
type Walk struct {
	Format  KeyFormat `json:"keying"`
	Began   time.Time `json:"began"`   // the first time
	Resumed int       `json:"resumed"` // how often it resumed after an interruption
	Round   int       `json:"round"`   // over the types that inherit owners; 0 is the first round, over all types
	Type    string    `json:"type"`    // the type that is being walked; empty when done
	Read    int       `json:"read"`    // documents read
	Rekeyed int       `json:"rekeyed"` // documents whose keys changed
	Done    bool      `json:"done"`

	// Types are the types of a walk for defined search parameters; nil for all types.
	// Parameters are the numbers of the parameters that are complete when it is done.
	Types      []string `json:"types,omitempty"`
	Parameters []uint16 `json:"parameters,omitempty"`

	After   *store.RowID `json:"after,omitempty"`   // the last document that is done
	Changed bool         `json:"changed,omitempty"` // this round rekeyed a document that others of its type may inherit from

	// Relabelled: the walk changed which rows of a person are labelled. It then ends with
	// one more round, over all types, which renews the mark of rows that refer to these:
	// Marking.
	Relabelled bool `json:"relabelled,omitempty"`
	Marking    bool `json:"marking,omitempty"`
}

// progressKey is where State holds the walk over all documents, parameterProgressKey the walk for
// defined search parameters.
const (
	progressKey          = "index/progress"
	parameterProgressKey = "index/parameters/progress"
)

// Status returns the last walk over all documents; false if there was none.
func Status(ctx context.Context, state store.State) (Walk, bool, error) {
	return readStatus(ctx, state, progressKey)
}

// ParameterStatus returns the last walk for defined search parameters; false if there was none.
func ParameterStatus(ctx context.Context, state store.State) (Walk, bool, error) {
	return readStatus(ctx, state, parameterProgressKey)
}

func readStatus(ctx context.Context, state store.State, key string) (Walk, bool, error) {
	var w Walk
	b, err := state.Lookup(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return w, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &w)
	}
	if err != nil {
		return w, false, fmt.Errorf("read the progress of the reindex: %w", err)
	}
	return w, true, nil
}

// stateKey is where State holds this walk.
func (w *Walk) stateKey() string {
	if w.Types != nil {
		return parameterProgressKey
	}
	return progressKey
}

// How many documents are rekeyed in one commit. Commits that write a Patient wait for it, so
// the pages of a walk that runs while the server does are smaller.
const (
	fullPage      = 200
	parameterPage = 50
)

func (w *Walk) pageSize() int {
	if w.Types != nil {
		return parameterPage
	}
	return fullPage
}

// maxRounds bounds how often types that inherit owners from each other are walked. No record
// has a chain of so many documents.
const maxRounds = 10

// typeOrder returns the types of a round in order. Rounds after the first one walk only the
// types that inherit.
func typeOrder(round int) []string {
	types := slices.Clone(r4.Resources())
	if round > 0 {
		types = slices.DeleteFunc(types, func(typ string) bool { return !index.Inherits(typ) })
	}
	slices.SortStableFunc(types, func(a, b string) int { return facts.KeyOrder(a) - facts.KeyOrder(b) })
	return types
}

// nextType moves on to the next type of the round, to the next round, or to the end.
func (w *Walk) nextType() {
	types := typeOrder(w.Round)
	if w.Marking {
		types = typeOrder(0)
	}
	w.After = nil
	if w.Types != nil {
		if i := slices.Index(w.Types, w.Type); i+1 < len(w.Types) {
			w.Type = w.Types[i+1]
		} else {
			w.Type, w.Done = "", true
		}
		return
	}
	if i := slices.Index(types, w.Type); i+1 < len(types) {
		w.Type = types[i+1]
		return
	}
	if w.Changed && !w.Marking && w.Round < maxRounds {
		w.Round, w.Type, w.Changed = w.Round+1, typeOrder(1)[0], false
		return
	}
	if w.Relabelled && !w.Marking {
		w.Marking, w.Type, w.Changed = true, typeOrder(0)[0], false
		return
	}
	w.Type, w.Done = "", true
}
