package resource

import (
	"crypto/sha256"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/scopes"
)

// Kept keeps the tokens that were verified last, for one epoch of the ledger. It never makes a token valid that is not: an entry
// counts only while nothing that could end a token has changed, and not past the end of token, grant or registration (SMART-413).
// It is safe for concurrent use.
type Kept struct {
	epoch  *ledger.Epoch
	tokens *lru.Cache[[sha256.Size]byte, keptToken]
}

type keptToken struct {
	epoch  uint64
	active grants.Active
	set    scopes.Set
}

// maxKept is how many tokens are kept.
const maxKept = 50_000

// NewKept returns a Kept for the servers that share an epoch.
func NewKept(epoch *ledger.Epoch) *Kept {
	tokens, err := lru.New[[sha256.Size]byte, keptToken](maxKept)
	if err != nil {
		panic(err) // the size is positive
	}
	return &Kept{epoch: epoch, tokens: tokens}
}

// get returns a token that is valid at an instant.
func (k *Kept) get(token string, at time.Time) (keptToken, bool) {
	if k == nil {
		return keptToken{}, false
	}
	found, ok := k.tokens.Get(sha256.Sum256([]byte(token)))
	if !ok || found.epoch != k.epoch.Now() || !at.Before(found.active.Ends) || !at.Before(found.active.Grant.Ends) || !found.active.Client.Serves(at) {
		return keptToken{}, false
	}
	return found, true
}

// now returns the epoch in which a token is about to be looked up.
func (k *Kept) now() uint64 {
	if k == nil {
		return 0
	}
	return k.epoch.Now()
}

// put keeps a token that was found valid in an epoch.
func (k *Kept) put(token string, v keptToken) {
	if k != nil {
		k.tokens.Add(sha256.Sum256([]byte(token)), v)
	}
}
