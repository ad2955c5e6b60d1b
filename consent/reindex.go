package consent

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

// factsVersion is the version of the facts that describe adds to the keys of a
// body. A change that gives a document other facts gives it another number.
const factsVersion = 9

// KeyFormat names the rules by which documents were keyed: those of fhir/index and
// those of the facts beside them.
type KeyFormat struct {
	Index int `json:"index"`
	Facts int `json:"facts"`
	// Words: every word has a key, for full text.
	Words bool `json:"words,omitempty"`
}

// keyFormat is how this Guard keys documents, and how it asks for them.
func (g *Guard) keyFormat() KeyFormat {
	return KeyFormat{Index: index.Version, Facts: factsVersion, Words: g.index.IndexesWords()}
}

// String writes both numbers, as 2.1, and whether words have keys.
func (k KeyFormat) String() string {
	if k.Words {
		return fmt.Sprintf("%d.%d with words", k.Index, k.Facts)
	}
	return fmt.Sprintf("%d.%d", k.Index, k.Facts)
}

// ErrKeyFormat says that the documents of a store were keyed by other rules than
// this program's: what it asks would not find them, or not hide them.
var ErrKeyFormat = errors.New("the documents were keyed by other rules")

// keyFormatKey and progressKey are where State holds the keying of the whole
// store, and how far a walk has come.
const (
	keyFormatKey = "index/keying"
	progressKey  = "index/progress"
)

// CheckKeyFormat returns ErrKeyFormat unless all documents are keyed as this program
// does it. A store without documents is marked so.
func (g *Guard) CheckKeyFormat(ctx context.Context, state store.State) error {
	current, found, err := readKeyFormat(ctx, state)
	switch {
	case err != nil:
		return err
	case found && current == g.keyFormat():
		return nil
	case found:
		return fmt.Errorf("%w: %s, and this program's are %s", ErrKeyFormat, current, g.keyFormat())
	case len(g.catalog.storedTypes()) > 0:
		return fmt.Errorf("%w: the store does not say by which, and this program's are %s", ErrKeyFormat, g.keyFormat())
	}
	return g.MarkKeyFormat(ctx, state)
}

// MarkKeyFormat says that all documents are keyed as this program does it: of an
// empty store, or after a walk.
func (g *Guard) MarkKeyFormat(ctx context.Context, state store.State) error {
	if _, err := g.store.Commit(ctx, store.Batch{State: []store.StateWrite{g.keyFormatWrite()}}); err != nil {
		return fmt.Errorf("mark the keying of the store: %w", err)
	}
	return nil
}

func (g *Guard) keyFormatWrite() store.StateWrite {
	b, err := json.Marshal(g.keyFormat())
	if err != nil {
		panic(err) // of numbers and a truth
	}
	return store.StateWrite{Key: keyFormatKey, Value: b}
}

// DescribeKeyFormat writes by which rules the documents of a store are keyed, for people;
// empty where the store does not say.
func DescribeKeyFormat(ctx context.Context, state store.State) (string, error) {
	k, found, err := readKeyFormat(ctx, state)
	if err != nil || !found {
		return "", err
	}
	return k.String(), nil
}

// WordsIndexed reports whether the words of all documents of a store have keys; false
// where the store does not say how it is keyed.
func WordsIndexed(ctx context.Context, state store.State) (bool, error) {
	k, _, err := readKeyFormat(ctx, state)
	return k.Words, err
}

func readKeyFormat(ctx context.Context, state store.State) (k KeyFormat, found bool, err error) {
	b, err := state.Lookup(ctx, keyFormatKey)
	if errors.Is(err, store.ErrNotFound) {
		return k, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &k)
	}
	if err != nil {
		return k, false, fmt.Errorf("read the keying of the store: %w", err)
	}
	return k, true, nil
}

// Walk is how far a walk over all documents has come.
type Walk struct {
	Format  KeyFormat `json:"keying"`  // by which rules documents are keyed
	Began   time.Time `json:"began"`   // of the walk, the first time
	Resumed int       `json:"resumed"` // how often it went on after an interruption
	Round   int       `json:"round"`   // of the types that inherit their owners; 0 is the first, over all types
	Type    string    `json:"type"`    // that is being walked; empty when done
	Read    int       `json:"read"`    // documents read
	Rekeyed int       `json:"rekeyed"` // of which stood under other keys
	Done    bool      `json:"done"`

	// Types are those that are walked, of a walk for defined search parameters; nil
	// for all. Parameters are the numbers of those that are complete when it is done.
	Types      []string `json:"types,omitempty"`
	Parameters []uint16 `json:"parameters,omitempty"`

	After   *store.RowID `json:"after,omitempty"`   // the last document that is done
	Changed bool         `json:"changed,omitempty"` // this round keyed a document anew that others of its kind may follow

	// Relabelled: the walk changed which rows of a person are labelled. Then it ends with
	// one more round, over all types, which marks the rows that refer to these: Marking.
	Relabelled bool `json:"relabelled,omitempty"`
	Marking    bool `json:"marking,omitempty"`
}

// ReindexStatus returns where the walk stands; false if there never was one.
func ReindexStatus(ctx context.Context, state store.State) (Walk, bool, error) {
	return readStatus(ctx, state, progressKey)
}

func readStatus(ctx context.Context, state store.State, mark string) (Walk, bool, error) {
	var r Walk
	b, err := state.Lookup(ctx, mark)
	if errors.Is(err, store.ErrNotFound) {
		return r, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return r, false, fmt.Errorf("read how far the reindex is: %w", err)
	}
	return r, true, nil
}

// reindexPage is how many documents are keyed anew in one commit.
const reindexPage = 200

// reindexRounds bounds how often types that inherit owners from each other are
// walked. A chain of that many steps is none that a record has.
const reindexRounds = 10

// Reindex keys every live document anew and marks the store as keyed by this
// program. It goes on where an interrupted walk stopped: each page is one
// commit with its mark. rest is called between pages, with how many documents
// were read, and may wait. The record may be written to meanwhile by this
// Guard; commits that bring a Patient, or that key other documents anew, wait
// for the page under way. One walk at a time.
func (g *Guard) Reindex(ctx context.Context, state store.State, pause func(context.Context, Walk) error) (Walk, error) {
	at, found, err := ReindexStatus(ctx, state)
	if err != nil {
		return at, err
	}
	if !found || at.Done || at.Format != g.keyFormat() {
		at = Walk{Format: g.keyFormat(), Began: g.clock().UTC(), Type: typeOrder(0)[0]}
		for _, p := range g.waitingParameters() {
			at.Parameters = append(at.Parameters, p.Number)
		}
	} else {
		at.Resumed++
	}
	return at, g.run(ctx, &at, pause)
}

// run walks from where at stands to the end.
func (g *Guard) run(ctx context.Context, at *Walk, pause func(context.Context, Walk) error) error {
	size := at.pageSize()
	for !at.Done {
		var err error
		if size, err = g.rekeyPage(ctx, at, size); err != nil {
			return fmt.Errorf("reindex %s: %w", at.Type, err)
		}
		if err := pause(ctx, *at); err != nil {
			return err
		}
	}
	return nil
}

// typeOrder is the order of types in a round. Later rounds walk those alone that inherit.
func typeOrder(round int) []string {
	types := slices.Clone(r4.Resources())
	if round > 0 {
		types = slices.DeleteFunc(types, func(typ string) bool { return !index.Inherits(typ) })
	}
	slices.SortStableFunc(types, func(a, b string) int { return facts.KeyOrder(a) - facts.KeyOrder(b) })
	return types
}

// nextType moves on behind the last document of a type.
func (r *Walk) nextType() {
	types := typeOrder(r.Round)
	if r.Marking {
		types = typeOrder(0)
	}
	r.After = nil
	if r.Types != nil {
		if i := slices.Index(r.Types, r.Type); i+1 < len(r.Types) {
			r.Type = r.Types[i+1]
		} else {
			r.Type, r.Done = "", true
		}
		return
	}
	if i := slices.Index(types, r.Type); i+1 < len(types) {
		r.Type = types[i+1]
		return
	}
	if r.Changed && !r.Marking && r.Round < reindexRounds {
		r.Round, r.Type, r.Changed = r.Round+1, typeOrder(1)[0], false
		return
	}
	if r.Relabelled && !r.Marking {
		r.Marking, r.Type, r.Changed = true, typeOrder(0)[0], false
		return
	}
	r.Type, r.Done = "", true
}
