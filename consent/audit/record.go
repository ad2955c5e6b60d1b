// Package audit is the audit trail: one record for every request that could touch patient data, whatever its
// outcome, in a hash-chained log, durable before the first byte of the answer is sent.
//
// A record is JSON. Query strings are evidence: they are kept complete, but sealed with a key. Records have
// no clinical content. The chain shows that a record was changed, inserted, moved or removed. It cannot show
// that its end was cut off until heads are signed and kept elsewhere.
package audit

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Record is one record of the audit trail (AUD-104, 105, 201).
type Record struct {
	Recorded    time.Time `json:"recorded"`
	Request     string    `json:"request"` // request id
	Interaction string    `json:"interaction"`
	Type        string    `json:"type,omitempty"`
	Status      int       `json:"status"` // of the prepared answer
	Agent       Agent     `json:"agent"`
	Client      Client    `json:"client"`
	Decision    Decision  `json:"decision"`
	Named       string    `json:"named,omitempty"` // the patient whom the request named
	Query       string    `json:"query,omitempty"` // sealed
	Disclosed   []Item    `json:"disclosed"`       // in the answer, empty for nothing
	Count       *int      `json:"count,omitempty"` // a number in the answer
	Written     []Item    `json:"written,omitempty"`
	// LeakedToken is the id of a token in a place where none may be, if it is not the agent's.
	LeakedToken string `json:"leakedToken,omitempty"`
	// More is how many requests without a valid token came from the address since its last
	// record and have no record.
	More int `json:"more,omitempty"`

	Changed []Change `json:"changed,omitempty"` // of settings, such as the registration of a client

	Genesis     *Genesis   `json:"genesis,omitempty"`           // the record begins a chain
	MissingFrom *time.Time `json:"wishesMissingFrom,omitempty"` // see Confirmation
}

// Change is one value before and after a change (SMART-052). It is no secret, and empty for none.
type Change struct {
	Field string          `json:"field"`
	Old   json.RawMessage `json:"old,omitempty"`
	New   json.RawMessage `json:"new,omitempty"`
}

// Agent is the requester.
type Agent struct {
	Kind         string `json:"kind"`
	Subject      string `json:"subject,omitempty"`
	Organisation string `json:"organisation,omitempty"`
	Role         string `json:"role,omitempty"`
	Purpose      string `json:"purpose,omitempty"` // of the decision
	Authority    string `json:"authority,omitempty"`
	Token        string `json:"token,omitempty"` // id of the token
}

// Client is the client of the requester.
type Client struct {
	ID      string `json:"id,omitempty"`
	Address string `json:"address,omitempty"`
}

// Decision is the outcome of a request, and the step that decided.
type Decision struct {
	Outcome string `json:"outcome"` // permit, refuse or fail
	Step    int    `json:"step,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Detail  string `json:"detail,omitempty"` // of the reason, where the requester is told less (SMART-337)
}

// Item is one resource version with the ids of the Patients whom it is about. A document that names its person by a
// national number alone has none: the number is in no log (identity.md, section 1).
type Item struct {
	Ref      string   `json:"ref"`
	Version  uint64   `json:"version"`
	Owners   []string `json:"owners,omitempty"`
	Label    string   `json:"label,omitempty"` // highest confidentiality label of the body
	Included bool     `json:"included,omitempty"`
	Cut      bool     `json:"cut,omitempty"`
}

// ItemOf describes a document for the audit trail.
func ItemOf(d store.Doc, included, cut bool) Item {
	item := Item{Ref: d.Ref.String(), Version: d.Version, Included: included, Cut: cut, Label: label(d.Body)}
	item.Owners = index.Names(d.Keys, index.PatientPrefix())
	return item
}

// label is the highest confidentiality label of a body.
func label(body []byte) string {
	if !bytes.Contains(body, []byte(`"security"`)) {
		return ""
	}
	const order = "ULMNRV"
	best := -1
	gjson.GetBytes(body, "meta.security").ForEach(func(_, c gjson.Result) bool {
		if code := c.Get("code").Str; len(code) == 1 {
			best = max(best, bytes.IndexByte([]byte(order), code[0]))
		}
		return true
	})
	if best < 0 {
		return ""
	}
	return order[best : best+1]
}

// AgentOf describes a Principal for the audit trail.
func AgentOf(p consent.Principal) (Agent, Client) {
	return Agent{Kind: p.Kind.String(), Subject: p.Subject, Organisation: p.Organisation, Role: p.Role,
		Purpose: p.Purpose, Authority: p.Authority, Token: p.Token}, Client{ID: p.Client, Address: p.Address}
}

// Writer appends records. It is safe for concurrent use.
type Writer struct {
	log  store.Log
	aead cipher.AEAD
	wait time.Duration
}

// New makes a Writer to a log. key has 32 bytes and seals query strings. wait bounds an append (AUD-403).
func New(log store.Log, key []byte, wait time.Duration) (*Writer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return &Writer{log: log, aead: aead, wait: wait}, nil
}

// Append makes records durable. If it fails, nothing may be disclosed.
func (t *Writer) Append(ctx context.Context, records ...Record) error {
	payloads := make([][]byte, 0, len(records))
	for _, r := range records {
		p, err := t.Encode(r)
		if err != nil {
			return err
		}
		payloads = append(payloads, p)
	}
	// What was prepared is recorded even if the client has disconnected.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.wait)
	defer cancel()
	if _, err := t.log.Append(ctx, payloads...); err != nil {
		return fmt.Errorf("append to the audit trail: %w", err)
	}
	return nil
}

// Committer is the part of a store that AppendWith needs.
type Committer interface {
	Commit(ctx context.Context, b store.Batch) (uint64, error)
}

// commitTime bounds AppendWith.
const commitTime = 5 * time.Second

// AppendWith stores values and makes the record durable in one step. If it fails, no value is stored, but an engine without
// common transactions may have the record. The error wraps store.ErrConflict if the condition of a value does not hold.
func (t *Writer) AppendWith(ctx context.Context, to Committer, r Record, values ...store.StateWrite) error {
	payload, err := t.Encode(r)
	if err != nil {
		return err
	}
	// What was decided is stored even if the client has disconnected.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	if _, err := to.Commit(ctx, store.Batch{State: values, Log: [][]byte{payload}}); err != nil {
		return fmt.Errorf("append to the audit trail with values: %w", err)
	}
	return nil
}

// Encode returns the stored form of a record, its query sealed, for a commit that includes it.
func (t *Writer) Encode(r Record) ([]byte, error) {
	if r.Query != "" {
		nonce := make([]byte, t.aead.NonceSize())
		rand.Read(nonce)
		r.Query = base64.StdEncoding.EncodeToString(t.aead.Seal(nonce, nonce, []byte(r.Query), nil))
	}
	return encode(r)
}

// Query opens the sealed query string of a record.
func (t *Writer) Query(r Record) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(r.Query)
	if err != nil || len(raw) < t.aead.NonceSize() {
		return "", fmt.Errorf("the query of record %s is not sealed", r.Request)
	}
	n := t.aead.NonceSize()
	plain, err := t.aead.Open(nil, raw[:n], raw[n:], nil)
	if err != nil {
		return "", fmt.Errorf("open the query of record %s: %w", r.Request, err)
	}
	return string(plain), nil
}
