package search

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/store"
)

// Sealer makes and opens page tokens: sealed (AEAD), bound to the query, the
// caller, client, purpose and scopes, and never to a state of consent: a token
// proves nothing, each page is decided anew (SRCH-204, 205). It is safe for
// concurrent use.
type Sealer struct {
	aead cipher.AEAD
	life time.Duration
	now  func() time.Time
}

// NewSealer makes a Sealer from a 32-byte key. Tokens older than life are
// expired.
func NewSealer(key []byte, life time.Duration, now func() time.Time) (*Sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("page tokens: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("page tokens: %w", err)
	}
	return &Sealer{aead: aead, life: life, now: now}, nil
}

// Position is what a page token holds: where the walk stands, and in what.
type Position struct {
	Path  string `json:"p"` // Type, or Type/id/_history and so on
	Query string `json:"q"` // the parameters of the first page
	// At is the cursor of a search, Before where earlier pages began.
	At     Mark   `json:"a"`
	Before []Mark `json:"b,omitempty"`
	// Seen marks what $everything has sent along.
	Seen []byte `json:"e,omitempty"`
	// Mark of a history.
	Updated int64  `json:"u,omitempty"`
	Seq     uint64 `json:"s,omitempty"`
	Ref     string `json:"r,omitempty"`
	Version uint64 `json:"n,omitempty"`
}

// Mark is a Cursor as a token holds it. The zero Mark is the start.
type Mark struct {
	Place  uint64   `json:"l,omitempty"`
	Order  []byte   `json:"o,omitempty"`
	Values [][]byte `json:"v,omitempty"` // nil within for a missing value
	Type   string   `json:"t,omitempty"`
	Seen   int      `json:"e,omitempty"`
}

// bucket is what token lengths are rounded up to, so that they tell little.
const bucket = 512

// Seal makes a token for a caller.
func (s *Sealer) Seal(p consent.Principal, pos Position) (string, error) {
	body, err := json.Marshal(pos)
	if err != nil {
		return "", fmt.Errorf("seal a page token: %w", err)
	}
	plain := binary.BigEndian.AppendUint64(nil, uint64(s.now().UnixMilli()))
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(body)))
	plain = append(plain, body...)
	plain = append(plain, make([]byte, (bucket-len(plain)%bucket)%bucket)...)
	nonce := make([]byte, s.aead.NonceSize())
	rand.Read(nonce)
	sealed := s.aead.Seal(nonce, nonce, plain, caller(p))
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Open reads a token of this caller: 400 invalid for one that is altered or
// foreign, 410 expired for an old one.
func (s *Sealer) Open(p consent.Principal, token string) (Position, error) {
	bad := fhir.Fault(400, "invalid", "The page link is not one of yours, or was altered.")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < s.aead.NonceSize() {
		return Position{}, bad
	}
	n := s.aead.NonceSize()
	plain, err := s.aead.Open(nil, raw[:n], raw[n:], caller(p))
	if err != nil || len(plain) < 12 {
		return Position{}, bad
	}
	made := time.UnixMilli(int64(binary.BigEndian.Uint64(plain)))
	if s.now().Sub(made) > s.life {
		return Position{}, fhir.Fault(410, "expired", "The page link is older than %s: start the search again.", s.life)
	}
	var pos Position
	if err := json.Unmarshal(plain[12:12+binary.BigEndian.Uint32(plain[8:])], &pos); err != nil {
		return Position{}, bad
	}
	return pos, nil
}

// caller is what a token is bound to.
func caller(p consent.Principal) []byte {
	h := sha256.New()
	for _, part := range []string{p.Kind.String(), p.Subject, p.Organisation, p.Role, p.Client, p.Purpose, p.Patient, p.Scopes.String()} {
		binary.Write(h, binary.BigEndian, uint32(len(part)))
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

func markOf(c Cursor) Mark {
	if c.After == nil {
		return Mark{}
	}
	m := Mark{Place: uint64(c.After.Place), Order: c.After.Order[:], Type: c.Type, Seen: c.Seen}
	for _, v := range c.Values {
		if v.Has {
			m.Values = append(m.Values, append([]byte{}, v.Text...))
		} else {
			m.Values = append(m.Values, nil)
		}
	}
	return m
}

func (m Mark) cursor() Cursor {
	if m.Order == nil {
		return Cursor{}
	}
	c := Cursor{After: &store.DocID{Place: store.Place(m.Place)}, Type: m.Type, Seen: m.Seen}
	copy(c.After.Order[:], m.Order)
	for _, v := range m.Values {
		c.Values = append(c.Values, Value{string(v), v != nil})
	}
	return c
}

func marks(cs []Cursor) []Mark {
	out := make([]Mark, len(cs))
	for i, c := range cs {
		out[i] = markOf(c)
	}
	return out
}

func cursors(ms []Mark) []Cursor {
	out := make([]Cursor, len(ms))
	for i, m := range ms {
		out[i] = m.cursor()
	}
	return out
}
