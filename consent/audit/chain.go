package audit

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"carerecord/store"
)

// Genesis begins a new chain in the audit trail of a restored store (AUD-501). It is not signed yet.
type Genesis struct {
	Software string    `json:"software"`
	Backup   time.Time `json:"backup"` // when it was taken
	// The last known head of the chain before.
	Position uint64 `json:"position"`
	Head     string `json:"head"` // hexadecimal
}

// operator is a person who runs a command on the machine of the store.
func operator(who string) Agent { return Agent{Kind: "operator", Subject: who} }

// Begin appends the genesis of a new chain to the log of a restored store.
func Begin(ctx context.Context, log store.Log, at time.Time, who string, g Genesis) error {
	head, err := log.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the head of the audit trail: %w", err)
	}
	g.Position, g.Head = head.Pos, hex.EncodeToString(head.Hash[:])
	b, err := encode(Record{Recorded: at.UTC(), Interaction: "restore", Agent: operator(who), Decision: Decision{Outcome: "permit"}, Genesis: &g})
	if err != nil {
		return err
	}
	if _, err := log.Append(ctx, b); err != nil {
		return fmt.Errorf("begin a chain: %w", err)
	}
	return nil
}

// Confirmation is the record of an operator who lets a restored store answer although directives since an
// instant may be missing in it (CON-1407).
func Confirmation(at time.Time, who string, from time.Time) ([]byte, error) {
	from = from.UTC()
	return encode(Record{Recorded: at.UTC(), Interaction: "confirm-restore", Agent: operator(who), MissingFrom: &from,
		Decision: Decision{Outcome: "permit", Reason: "directives recorded since " + from.Format(time.RFC3339Nano) + " may be missing"}})
}

// Explained is the record of an operator who ran explain on a search. The search is sealed; only counts were
// disclosed, and only where the answer has them.
func (t *Writer) Explained(at time.Time, who, query string) Record {
	return Record{Recorded: at.UTC(), Interaction: "explain", Agent: operator(who), Status: 200, Query: query, Decision: Decision{Outcome: "permit", Reason: "operator"}}
}

func encode(r Record) ([]byte, error) {
	if r.Disclosed == nil {
		r.Disclosed = []Item{}
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode an audit record: %w", err)
	}
	return b, nil
}

// Chain is one chain of the audit trail.
type Chain struct {
	First   uint64   `json:"first"` // position of its first record
	Genesis *Genesis `json:"genesis,omitempty"`
}

// beginChain notes a record that begins a chain, and damage if the head that it names is not the record
// before.
func (v *verifier) beginChain(cur store.Record, g *Genesis) {
	if len(v.report.Chains) == 0 {
		v.report.Chains = append(v.report.Chains, Chain{First: v.first})
	}
	v.report.Chains = append(v.report.Chains, Chain{First: cur.Pos, Genesis: g})
	if g.Position+1 != cur.Pos || g.Head != hex.EncodeToString(v.previous[:]) {
		v.fault(cur.Pos, "forked", fmt.Sprintf("the chain that begins here names record %d as its predecessor, but with another position or hash", g.Position))
	}
}
