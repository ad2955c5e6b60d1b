package audit

import (
	"context"
	"fmt"
	"time"

	"carerecord/store"
)

// Operation is an operation of an operator on a store, by a command.
type Operation struct {
	Name   string // as the audit trail names it: backup, token-issue
	Who    string // the account of the operator on the machine
	Of     string // the result: token/ID; empty for none
	Client string // the registered client that it concerns
	Status int    // of the answer; 0 for a record that was written before the operation
	Reason string // of a refusal or a failure
}

// OperationRefused is the interaction of an operation that was refused or failed. Type has the name of the
// operation.
const OperationRefused = "operation-refused"

// record returns the record of the operation.
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

// AppendOperation records an operation. It needs no key, since nothing is sealed.
func AppendOperation(ctx context.Context, log store.Log, at time.Time, o Operation) error {
	b, err := encode(o.record(at))
	if err != nil {
		return err
	}
	if _, err := log.Append(ctx, b); err != nil {
		return fmt.Errorf("record an operation: %w", err)
	}
	return nil
}
