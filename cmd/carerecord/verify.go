package main

import (
	"context"
	"fmt"

	"carerecord/cmd/carerecord/internal/node"
)

// verifyCmd verifies a store that no server holds.
type verifyCmd struct {
	siteFlags
}

// Run reads the whole store and fails if it is not sound.
func (c *verifyCmd) Run(ctx context.Context) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	s, err := node.Verify(ctx, cfg)
	if err != nil {
		return err
	}
	fmt.Printf("documents checked: %d, of which %d have wrong keys\n", s.Documents, s.WrongKeys)
	if s.Faults != nil {
		return fmt.Errorf("the store is not sound:\n%w", s.Faults)
	}
	fmt.Println("the store is sound")
	return nil
}
