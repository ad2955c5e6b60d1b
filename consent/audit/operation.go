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
	Of     string // what it made: token/ID; empty for nothing
	Client string // registered client that it is about
	Status int    // of the answer; 0 for one that was recorded before it began
	Reason string // of a refusal or a failure, a word
}

// OperationRefused is the interaction of an operation that was refused or failed; what it
// was stands in the place of the type.
const OperationRefused = "operation-refused"

// record is the record of the operation.
func (o Operation) record(at time.Time) Record {
	r := Record{Recorded: at.UTC(), Interaction: o.Name, Type: o.Of, Status: o.Status, Agent: operator(o.Who), Client: Client{ID: o.Client},
		Decision: Decision{Outcome: "permit", Reason: o.Reason}}
	if o.Status >= 400 {
		r.Interaction, r.Type, r.Decision.Outcome = OperationRefused, o.Name, "refuse"
	}
	if o.Status >= 500 {
		r.Decision.Outcome = "fail"
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
