package audit

import (
	"context"
	"fmt"
	"time"

	"carerecord/store"
)

// Operation is something that an operator does with a store, by a command.
type Operation struct {
	Name   string // as the trail names it: backup, token-issue
	Who    string // the operator, as the machine knows them
	Of     string // what it is about: token/ID; empty for the store
	Client string // registered client that it is about
	Status int    // of the answer; 0 for one that was recorded before it began
	Reason string // of a refusal or a failure, a word
}

// record is the record of the operation.
func (o Operation) record(at time.Time) Record {
	r := Record{Recorded: at.UTC(), Interaction: o.Name, Type: o.Of, Status: o.Status, Agent: operator(o.Who), Client: Client{ID: o.Client},
		Decision: Decision{Outcome: "permit", Reason: o.Reason}}
	switch {
	case o.Status >= 500:
		r.Decision.Outcome = "fail"
	case o.Status >= 400:
		r.Decision.Outcome = "refuse"
	}
	return r
}

// AppendOperation records an operation. It needs no key: nothing in it is sealed.
func AppendOperation(ctx context.Context, log store.Log, at time.Time, o Operation) error {
	b, err := encode(o.record(at))
	if err != nil {
		return err
	}
	if _, err := log.Append(ctx, b); err != nil {
		return fmt.Errorf("record what an operator does: %w", err)
	}
	return nil
}
