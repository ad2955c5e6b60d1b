package main

import "context"

// benchCmd is written next.
type benchCmd struct{}

// Run measures.
func (c *benchCmd) Run(ctx context.Context) error { return nil }
