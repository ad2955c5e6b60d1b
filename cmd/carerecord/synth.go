package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"carerecord/synth"
)

// synthCmd writes a synthetic region: a folder for each source organisation.
type synthCmd struct {
	Patients int    `help:"How many patients." default:"100"`
	Seed     uint64 `help:"The same seed makes the same region." default:"1"`
	Out      string `help:"Folder to write to." required:"" type:"path"`
}

// Run writes the files.
func (c *synthCmd) Run(ctx context.Context) error {
	if c.Patients < 1 {
		return fmt.Errorf("--patients is at least 1, not %d", c.Patients)
	}
	n := 0
	for b := range synth.Region(synth.Config{Patients: c.Patients, Seed: c.Seed}) {
		if err := ctx.Err(); err != nil {
			return err
		}
		dir := filepath.Join(c.Out, b.Source)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the folder of a source: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, b.Name), b.Body, 0o644); err != nil {
			return fmt.Errorf("write a bundle: %w", err)
		}
		n++
	}
	fmt.Printf("%d bundles in %s: load each folder with --source its name\n", n, c.Out)
	return nil
}
