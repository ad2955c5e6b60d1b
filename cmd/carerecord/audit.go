package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"carerecord/cmd/carerecord/internal/node"
	"carerecord/consent/audit"
)

// auditCmd has the commands for the audit trail.
type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Read the whole audit trail and list every place where it was changed."`
}

// auditVerifyCmd verifies the chain of the audit trail.
type auditVerifyCmd struct {
	storeFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the report; a broken chain is an error.
func (c *auditVerifyCmd) Run(ctx context.Context) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	report, err := node.VerifyAudit(ctx, cfg)
	if err != nil {
		return err
	}
	return c.print(os.Stdout, report)
}

func (c *auditVerifyCmd) print(w io.Writer, report audit.Report) error {
	if c.JSON {
		if err := json.NewEncoder(w).Encode(report); err != nil {
			return err
		}
	} else {
		report.Print(w)
	}
	if !report.OK() {
		return fmt.Errorf("the audit trail was changed at %d places", len(report.Breaks))
	}
	return nil
}
