// Package keys has the keys with which the authorization server signs ID tokens. They are files of the keys folder, never of the
// store (SMART-387). signing.pem is the first key. A key that replaces another is a file of its own, whose name says when it begins
// to sign: signing-20260102T150405Z.pem. So every server of a folder comes to the same answer from the files and the time: which key
// signs now, and which are published beside it (SMART-386).
package keys

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The times of a rotation (SMART-386). A new key is published for twice as long as clients may keep the published keys, and one
// minute for servers that read the folder, before it signs. The key before stays as long as an ID token may live (section 28).
const (
	CacheTime   = 5 * time.Minute
	ReloadEvery = time.Minute
	lead        = 2*CacheTime + ReloadEvery
	keep        = time.Hour
)

// Keys signs, and publishes the public keys. It is safe for concurrent use.
type Keys struct {
	dir   string
	clock func() time.Time
	turn  sync.Mutex            // of a rotation: the timer and an operator may begin one at the same time
	list  atomic.Pointer[[]key] // by start, never empty
}

// key is one signing key.
type key struct {
	file   string
	starts time.Time // zero: it signs from the beginning
	made   time.Time // of the file
	public jose.JSONWebKey
	signer jose.Signer
}

// Load reads the keys of a folder. It makes signing.pem if there is no key and create is set; else that is an error that says what
// to do.
func Load(dir string, create bool, clock func() time.Time) (*Keys, error) {
	k := &Keys{dir: dir, clock: clock}
	err := k.Reload()
	if errors.Is(err, errNoKey) && create {
		if _, err = generate(dir, first); err == nil || errors.Is(err, os.ErrExist) { // another server made it meanwhile
			err = k.Reload()
		}
	}
	return k, err
}

// Reload reads the folder again: a key may have been added or removed. After an error the keys stay as they were.
func (k *Keys) Reload() error {
	list, err := readFolder(k.dir)
	if err != nil {
		return err
	}
	k.list.Store(&list)
	return nil
}

// newKey returns a private key with what it needs to sign. Its kid is its thumbprint (RFC 7638).
func newKey(file string, starts, made time.Time, private *rsa.PrivateKey) (key, error) {
	public := jose.JSONWebKey{Key: private.Public(), Algorithm: string(jose.RS256), Use: "sig"}
	sum, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return key{}, fmt.Errorf("name a signing key: %w", err)
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: public.KeyID}}, (&jose.SignerOptions{}).WithType("JWT"))
	return key{file: file, starts: starts, made: made, public: public, signer: signer}, err
}

// current returns the place of the key that signs at an instant: the last one that has begun.
func current(list []key, now time.Time) int {
	at := 0
	for i, one := range list {
		if !one.starts.After(now) {
			at = i
		}
	}
	return at
}

// retired reports whether the key at a place is not published any more: another has signed for so long that no token of it is valid.
func retired(list []key, at int, now time.Time) bool {
	return at < current(list, now) && !now.Before(list[at+1].starts.Add(keep))
}

// Public returns the public keys that are published now (SMART-385): the one that signs, the one before while its tokens may be
// valid, and those that will sign.
func (k *Keys) Public() (set jose.JSONWebKeySet) {
	list, now := *k.list.Load(), k.clock()
	for i, one := range list {
		if !retired(list, i, now) {
			set.Keys = append(set.Keys, one.public)
		}
	}
	return set
}

// Sign returns a JWT with a payload, signed RS256.
func (k *Keys) Sign(payload []byte) (string, error) {
	list := *k.list.Load()
	object, err := list[current(list, k.clock())].signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return object.CompactSerialize()
}

// Listed is a key as an operator sees it.
type Listed struct {
	ID     string    `json:"kid"`
	Starts time.Time `json:"starts,omitzero"` // it signs from then on; zero: from the beginning
	State  string    `json:"state"`           // next, signs, published or retired
}

// List describes all keys of the folder, by their start.
func (k *Keys) List() []Listed { return k.describe(*k.list.Load()) }

func (k *Keys) describe(list []key) (out []Listed) {
	now := k.clock()
	for i, one := range list {
		state := "published"
		switch at := current(list, now); {
		case i > at:
			state = "next"
		case i == at:
			state = "signs"
		case retired(list, i, now):
			state = "retired"
		}
		out = append(out, Listed{one.public.KeyID, one.starts, state})
	}
	return out
}

// Due reports whether the key that signs is older than a life, and no other is about to replace it.
func (k *Keys) Due(life time.Duration) bool {
	list, now := *k.list.Load(), k.clock()
	at := current(list, now)
	since := list[at].starts
	if since.IsZero() {
		since = list[at].made
	}
	return at == len(list)-1 && !now.Before(since.Add(life))
}

func byStart(a, b key) int { return a.starts.Compare(b.starts) }

func sorted(list []key) []key {
	slices.SortStableFunc(list, byStart)
	return list
}
