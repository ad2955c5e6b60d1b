package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"carerecord/cmd/carerecord/internal/node"
	"carerecord/interop/smart/grants"
)

// clientApprovalsCmd lists approvals of organisations (SMART-220). An approval itself needs an administrator who has signed in.
type clientApprovalsCmd struct {
	clientFlags
	Organisation string `help:"ODS code: of this organisation alone."`
}

// Run lists them.
func (c *clientApprovalsCmd) Run(ctx context.Context, out io.Writer) error {
	return c.send(ctx, out, node.ClientRequest{Verb: "approvals", Of: grants.Of{Organisation: c.Organisation}})
}

// clientWithdrawCmd withdraws an approval of an organisation.
type clientWithdrawCmd struct {
	clientFlags
	ID           string `arg:"" help:"Id of the client."`
	Organisation string `help:"ODS code of the organisation." required:""`
}

// Run withdraws it.
func (c *clientWithdrawCmd) Run(ctx context.Context, out io.Writer) error {
	return c.send(ctx, out, node.ClientRequest{Verb: "withdraw", ID: c.ID, Of: grants.Of{Organisation: c.Organisation}})
}

// printApprovals prints a line for each approval.
func printApprovals(w io.Writer, list []node.ListedApproval) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, a := range list {
		state := "until"
		if !a.InForce {
			state = "not in force, until"
		}
		fmt.Fprintf(t, "%s\t%s\tby %s on %s\t%s %s\t%s\t%s\n", a.Organisation, a.Client, a.By, a.At.Format(time.DateOnly), state, a.Ends.Format(time.DateOnly), a.Purpose, a.Scopes)
	}
	return t.Flush()
}
