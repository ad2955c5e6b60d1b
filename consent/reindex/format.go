package reindex

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// KeyFormat is the version of the rules by which documents are keyed: those of fhir/index and
// those of consent/facts.
type KeyFormat struct {
	Index int `json:"index"`
	Facts int `json:"facts"`
	// Words: every word has a key, for full text.
	Words bool `json:"words,omitempty"`
	// Identity is the digest of the identity policy (IDN-101); empty for none.
	Identity string `json:"identity,omitempty"`
}

// keyFormat is the format of this program.
func (r *Reindexer) keyFormat() KeyFormat {
	return KeyFormat{Index: index.Version, Facts: facts.Version, Words: r.guard.Index().IndexesWords(), Identity: r.guard.Identity().Digest()}
}

// String returns both versions, for example 2.1, whether words have keys, and the identity policy.
func (k KeyFormat) String() string {
	out := fmt.Sprintf("%d.%d", k.Index, k.Facts)
	if k.Words {
		out += " with words"
	}
	if k.Identity != "" {
		return out + " with the identity policy " + k.Identity
	}
	return out + " without an identity policy"
}

// ErrKeyFormat reports that the documents of a store have another key format than this program:
// its queries would not find them, or not hide them.
var ErrKeyFormat = errors.New("the documents have another key format")

// keyFormatKey is where State holds the key format of the whole store.
const keyFormatKey = "index/keying"

// CheckKeyFormat returns ErrKeyFormat unless all documents have the key format of this program.
// It sets the format of a store without documents.
func (r *Reindexer) CheckKeyFormat(ctx context.Context) error {
	stored, found, err := readKeyFormat(ctx, r.db)
	switch {
	case err != nil:
		return err
	case found && stored == r.keyFormat():
		return nil
	case found:
		return fmt.Errorf("%w: %s, and this program's is %s", ErrKeyFormat, stored, r.keyFormat())
	case len(r.guard.StoredTypes()) > 0:
		return fmt.Errorf("%w: the store does not name it, and this program's is %s", ErrKeyFormat, r.keyFormat())
	}
	if _, err := r.db.Commit(ctx, store.Batch{State: []store.StateWrite{r.keyFormatWrite()}}); err != nil {
		return fmt.Errorf("store the key format: %w", err)
	}
	return nil
}

func (r *Reindexer) keyFormatWrite() store.StateWrite {
	b, err := json.Marshal(r.keyFormat())
	if err != nil {
		panic(err) // numbers and a boolean
	}
	return store.StateWrite{Key: keyFormatKey, Value: b}
}

// DescribeKeyFormat returns the key format of a store as text; empty where the store does not
// name it.
func DescribeKeyFormat(ctx context.Context, state store.State) (string, error) {
	k, found, err := readKeyFormat(ctx, state)
	if err != nil || !found {
		return "", err
	}
	return k.String(), nil
}

// WordsIndexed reports whether the words of all documents of a store have keys; false where the
// store does not name its key format.
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
		return k, false, fmt.Errorf("read the key format of the store: %w", err)
	}
	return k, true, nil
}
