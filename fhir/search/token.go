package search

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/store"
)

// TokenSealer seals and opens page tokens. A token is encrypted (AEAD) and bound to the query, requester,
// client, purpose and scopes. It is not bound to a state of consent and grants nothing: each page is
// decided again (SRCH-204, 205). All tokens have one length. A position that does not fit, such as a
// query of over 2 KiB, is stored sealed in State for the life of the page, and the token has a random
// handle. It is safe for concurrent use.
type TokenSealer struct {
	aead  cipher.AEAD
	life  time.Duration
	now   func() time.Time
	state store.State
}

// NewTokenSealer makes a TokenSealer from a 32-byte key. Tokens expire after life.
func NewTokenSealer(key []byte, life time.Duration, now func() time.Time, state store.State) (*TokenSealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("page tokens: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("page tokens: %w", err)
	}
	return &TokenSealer{aead: aead, life: life, now: now, state: state}, nil
}

// PageToken is the content of a page token: a query and a position in its rows.
type PageToken struct {
	Path  string `json:"p"` // Type, or Type/id/_history and so on
	Query string `json:"q"` // the parameters of the first page
	// At is the position of a search; Before are the positions of earlier pages.
	At     TokenCursor   `json:"a"`
	Before []TokenCursor `json:"b,omitempty"`
	// Seen has the hashes of the resources that earlier pages of $everything sent.
	Seen []byte `json:"e,omitempty"`
	// The position of a history.
	Updated int64  `json:"u,omitempty"`
	Seq     uint64 `json:"s,omitempty"`
	Ref     string `json:"r,omitempty"`
	Version uint64 `json:"n,omitempty"`
}

// TokenCursor is a Cursor in a token. The zero TokenCursor is the start.
type TokenCursor struct {
	Partition uint64   `json:"l,omitempty"`
	SortKey   []byte   `json:"o,omitempty"`
	Values    [][]byte `json:"v,omitempty"` // nil within for a missing value
	Type      string   `json:"t,omitempty"`
	Seen      int      `json:"e,omitempty"`
}

// A token seals the time, a kind, a length, and that many bytes, padded to inlineSize.
const (
	inlineSize = 2 << 10 // the largest position that fits in the token itself
	headSize   = 8 + 1 + 4
	isHandle   = 'h' // a handle
	isWhole    = 'w' // a position
)

// Seal returns a token for a requester. Errors are those of State.
func (s *TokenSealer) Seal(ctx context.Context, p consent.Principal, pos PageToken) (string, error) {
	body, err := json.Marshal(pos)
	if err != nil {
		return "", fmt.Errorf("seal a page token: %w", err)
	}
	now, kind := s.now(), byte(isWhole)
	if len(body) > inlineSize {
		handle := make([]byte, 16)
		rand.Read(handle)
		if err := s.state.Insert(ctx, stateOf(handle), s.seal(body, p), now.Add(s.life)); err != nil {
			return "", fmt.Errorf("keep a page: %w", err)
		}
		kind, body = isHandle, handle
	}
	plain := binary.BigEndian.AppendUint64(make([]byte, 0, headSize+inlineSize), uint64(now.UnixMilli()))
	plain = binary.BigEndian.AppendUint32(append(plain, kind), uint32(len(body)))
	plain = append(plain, body...)
	return base64.RawURLEncoding.EncodeToString(s.seal(plain[:headSize+inlineSize], p)), nil
}

func stateOf(handle []byte) string { return "page/" + base64.RawURLEncoding.EncodeToString(handle) }

// seal encrypts bytes for a requester, with a nonce before them.
func (s *TokenSealer) seal(plain []byte, p consent.Principal) []byte {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	rand.Read(nonce)
	return s.aead.Seal(nonce, nonce, plain, caller(p))
}

// open decrypts bytes. It is false if they were not sealed for this requester.
func (s *TokenSealer) open(raw []byte, p consent.Principal) ([]byte, bool) {
	n := s.aead.NonceSize()
	if len(raw) < n {
		return nil, false
	}
	plain, err := s.aead.Open(nil, raw[:n], raw[n:], caller(p))
	return plain, err == nil
}

// Open reads a token of this requester. Errors: 400 invalid for an altered or foreign token, 410 expired
// for an old one, 503 if State does not answer.
func (s *TokenSealer) Open(ctx context.Context, p consent.Principal, token string) (pos PageToken, err error) {
	bad := fhir.Fault(400, "invalid", "The page link belongs to another requester, or was altered.")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return pos, bad
	}
	plain, ok := s.open(raw, p)
	if !ok || len(plain) != headSize+inlineSize {
		return pos, bad
	}
	old := fhir.Fault(410, "expired", "The page link is older than %s. Start the search again.", s.life)
	if s.now().Sub(time.UnixMilli(int64(binary.BigEndian.Uint64(plain)))) > s.life {
		return pos, old
	}
	body := plain[headSize : headSize+binary.BigEndian.Uint32(plain[9:])]
	if plain[8] == isHandle {
		kept, err := s.state.Lookup(ctx, stateOf(body))
		if errors.Is(err, store.ErrNotFound) {
			return pos, old
		}
		if err != nil {
			return pos, &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "transient", Text: "The page cannot be read now. Try again."}},
				Cause: err, Header: map[string]string{"Retry-After": "1"}}
		}
		if body, ok = s.open(kept, p); !ok {
			return pos, bad
		}
	}
	if err := json.Unmarshal(body, &pos); err != nil {
		return pos, bad
	}
	return pos, nil
}

// caller returns the hash that binds a token to its requester.
func caller(p consent.Principal) []byte {
	//law:token-caller
	h := sha256.New()
	for _, part := range []string{p.Kind.String(), p.Subject, p.Organisation, p.Role, p.Client, p.Purpose, p.Patient, p.Context.Patient, p.Context.Person, p.Scopes.String()} {
		binary.Write(h, binary.BigEndian, uint32(len(part)))
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

func tokenCursorOf(c Cursor) TokenCursor {
	if c.After == nil {
		return TokenCursor{}
	}
	m := TokenCursor{Partition: uint64(c.After.Partition), SortKey: c.After.SortKey[:], Type: c.Type, Seen: c.Seen}
	for _, v := range c.Values {
		if v.Has {
			m.Values = append(m.Values, append([]byte{}, v.Text...))
		} else {
			m.Values = append(m.Values, nil)
		}
	}
	return m
}

func (m TokenCursor) cursor() Cursor {
	if m.SortKey == nil {
		return Cursor{}
	}
	c := Cursor{After: &store.RowID{Partition: store.Partition(m.Partition)}, Type: m.Type, Seen: m.Seen}
	copy(c.After.SortKey[:], m.SortKey)
	for _, v := range m.Values {
		c.Values = append(c.Values, Value{string(v), v != nil})
	}
	return c
}

func tokenCursors(cs []Cursor) []TokenCursor {
	out := make([]TokenCursor, len(cs))
	for i, c := range cs {
		out[i] = tokenCursorOf(c)
	}
	return out
}

func cursors(ms []TokenCursor) []Cursor {
	out := make([]Cursor, len(ms))
	for i, m := range ms {
		out[i] = m.cursor()
	}
	return out
}
