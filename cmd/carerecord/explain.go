package main

import (
	"context"
	"fmt"

	"carerecord/cmd/carerecord/internal/node"
)

// explainCmd describes how a search is answered.
type explainCmd struct {
	siteFlags
	Search string `arg:"" help:"The search as in its URL, after /fhir/: Observation?patient=1&code=x"`
}

// Run prints the plan of the search.
func (c *explainCmd) Run(ctx context.Context) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	text, err := node.Explain(ctx, cfg, c.Search)
	if err == nil {
		fmt.Print(text)
	}
	return err
}
