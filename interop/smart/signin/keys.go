package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// refetchPause is the shortest time between two fetches of keys (SMART-187).
const refetchPause = 10 * time.Second

// keySet has the signature keys of an issuer. It implements oidc.KeySet and replaces the one of the library, which fetches
// the keys again for each unknown key and each wrong signature.
type keySet struct {
	issuer *issuer

	mu      sync.Mutex // guards all below
	address string
	keys    []jose.JSONWebKey
	fetched time.Time // last success
	tried   time.Time // last attempt
}

func newKeySet(i *issuer, address string) *keySet { return &keySet{issuer: i, address: address} }

// move sets the address of the keys, for the next fetch.
func (k *keySet) move(address string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.address = address
}

// errDown marks that the issuer could not be asked, so that the sign-in is not the fault of the person.
var errDown = errors.New("the keys of the issuer cannot be read")

// VerifySignature implements oidc.KeySet. The algorithm must be one of the issuer's configuration, and the key is found by
// its ID in the keys of the issuer; keys in the header of the token are never used. A token without a key ID is accepted
// only from an issuer with one key.
func (k *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(token, k.issuer.Algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, errors.New("the ID token is not signed with an allowed algorithm")
	}
	id := signed.Signatures[0].Header.KeyID
	key, err := k.key(ctx, id)
	if err != nil {
		return nil, err
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return nil, errors.New("the signature of the ID token is wrong")
	}
	return payload, nil
}

// key returns the key with an ID. It asks the issuer if it has no fresh one, at most once in refetchPause; simultaneous
// callers share the request.
func (k *keySet) key(ctx context.Context, id string) (*jose.JSONWebKey, error) {
	keys, fresh := k.cached()
	if key := find(keys, id); key != nil && fresh {
		return key, nil
	}
	result := k.issuer.fetches.DoChan("keys", func() (any, error) {
		if !k.mayFetch() {
			return nil, nil
		}
		return nil, k.fetch(context.WithoutCancel(ctx))
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-result:
		if r.Err != nil {
			return nil, fmt.Errorf("%w: %w", errDown, r.Err)
		}
	}
	keys, fresh = k.cached()
	if !fresh {
		return nil, errDown // a fetch failed just now
	}
	key := find(keys, id)
	if key == nil {
		return nil, errors.New("the key of the ID token is unknown")
	}
	return key, nil
}

func (k *keySet) cached() (keys []jose.JSONWebKey, fresh bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys, k.issuer.clock().Before(k.fetched.Add(documentLife))
}

// mayFetch reports whether a fetch is allowed now, and counts it.
func (k *keySet) mayFetch() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.issuer.clock()
	if now.Before(k.tried.Add(refetchPause)) {
		return false
	}
	k.tried = now
	return true
}

func find(keys []jose.JSONWebKey, id string) *jose.JSONWebKey {
	var found []jose.JSONWebKey
	for _, key := range keys {
		if id == "" || key.KeyID == id {
			found = append(found, key)
		}
	}
	if len(found) != 1 {
		return nil
	}
	return &found[0]
}

// fetch reads the keys. Keys that are not public signature keys are left out.
func (k *keySet) fetch(ctx context.Context) error {
	k.mu.Lock()
	address := k.address
	k.mu.Unlock()
	body, err := k.issuer.get(ctx, address, "")
	if err != nil {
		return withoutBody(err)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return errors.New("the key set is not JSON")
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if err := json.Unmarshal(raw, &key); err == nil && key.IsPublic() && key.Valid() && (key.Use == "" || key.Use == "sig") {
			keys = append(keys, key)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys, k.fetched = keys, k.issuer.clock()
	return nil
}
