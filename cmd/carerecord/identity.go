package main

import (
	"context"
	"os"

	"carerecord/cmd/carerecord/internal/node"
	"carerecord/consent/worklist"
)

// identityCmd has the commands for persons.
type identityCmd struct {
	Contradicted contradictedCmd `cmd:"" help:"List Patients whose national number is not believed, with the reason."`
	Differing    differingCmd    `cmd:"" help:"List persons whose Patients have different birth dates."`
	Duplicates   duplicatesCmd   `cmd:"" help:"List Patients of one source that are one person."`
}

type (
	contradictedCmd struct{ siteFlags }
	differingCmd    struct{ siteFlags }
	duplicatesCmd   struct{ siteFlags }
)

// Run prints the list.
func (c *contradictedCmd) Run(ctx context.Context) error {
	return c.printIdentities(ctx, worklist.Contradicted)
}

// Run prints the list.
func (c *differingCmd) Run(ctx context.Context) error {
	return c.printIdentities(ctx, worklist.Differing)
}

// Run prints the list.
func (c *duplicatesCmd) Run(ctx context.Context) error {
	return c.printIdentities(ctx, worklist.Duplicates)
}

// printIdentities prints a work list as JSON, one entry a line.
func (f siteFlags) printIdentities(ctx context.Context, list worklist.List) error {
	cfg, err := f.config()
	if err != nil {
		return err
	}
	return node.Identities(ctx, cfg, list, os.Stdout)
}
