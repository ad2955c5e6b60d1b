package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"carerecord/conformance/synth"
)

// synthCmd writes a synthetic region as a folder for each source organisation, or as one stream.
type synthCmd struct {
	Patients int         `help:"Number of patients." default:"100"`
	Seed     uint64      `help:"The same seed makes the same region." default:"1"`
	Out      string      `help:"Folder to write to; - writes NDJSON to standard output, one transaction bundle a line." required:"" type:"path"`
	Source   string      `help:"ODS code: write the bundles of this organisation only."`
	Shape    synth.Shape `help:"region: each source sends its own Patient of a person, and so does a patient index. single: the registered practice sends the only Patient of a person." default:"region"`
	Truth    string      `help:"File for the true identities: a JSON line for each person, with the Patients of all sources and the state that each must get. Needs --shape region." type:"path"`
}

// Run writes the region.
func (c *synthCmd) Run(ctx context.Context) error { return c.run(ctx, os.Stdout) }

func (c *synthCmd) run(ctx context.Context, out io.Writer) error {
	if c.Patients < 1 || c.Patients > synth.MaxPatients {
		return fmt.Errorf("--patients must be from 1 to %d, not %d: the test range has no more NHS numbers", synth.MaxPatients, c.Patients)
	}
	known := map[string]bool{"": true, synth.PatientIndex().ODS: c.patientPerSource()}
	for _, o := range synth.Sources() {
		known[o.ODS] = true
	}
	if !known[c.Source] {
		return fmt.Errorf("--source %s is not an organisation of the region", c.Source)
	}
	if c.Truth == "" {
		return c.write(ctx, out, nil)
	}
	if !c.patientPerSource() {
		return errors.New("--truth needs --shape region: in the other shape each person has one Patient")
	}
	file, err := os.Create(c.Truth)
	if err != nil {
		return fmt.Errorf("write the true identities: %w", err)
	}
	defer file.Close()
	truth := bufio.NewWriter(file)
	lines := json.NewEncoder(truth)
	err = c.write(ctx, out, func(t synth.Truth) { lines.Encode(t) }) // Flush returns the error
	return errors.Join(err, truth.Flush(), file.Close())
}

// patientPerSource reports whether a person has a Patient of each source.
func (c *synthCmd) patientPerSource() bool { return c.Shape == synth.PatientPerSource }

// write writes the bundles and calls truth, which can be nil, for each person.
func (c *synthCmd) write(ctx context.Context, out io.Writer, truth func(synth.Truth)) error {
	if c.Out == "-" {
		n, err := synth.Write(out, c.bundles(ctx, truth))
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%d resources\n", n)
		return ctx.Err()
	}
	n := 0
	for b := range c.bundles(ctx, truth) {
		dir := filepath.Join(c.Out, b.Source)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the folder of a source: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, b.Name), b.Body, 0o644); err != nil {
			return fmt.Errorf("write a bundle: %w", err)
		}
		n++
	}
	first := "the practices"
	if c.patientPerSource() {
		first = synth.PatientIndex().ODS
	}
	fmt.Fprintf(out, "%d bundles in %s: load each folder with its name as --source, %s first\n", n, c.Out, first)
	return ctx.Err()
}

// bundles returns the selected bundles. They end early with ctx.
func (c *synthCmd) bundles(ctx context.Context, truth func(synth.Truth)) iter.Seq[synth.Bundle] {
	return func(yield func(synth.Bundle) bool) {
		for b := range synth.Region(synth.Config{Patients: c.Patients, Seed: c.Seed, Shape: c.Shape, Truth: truth}) {
			if ctx.Err() != nil || (c.Source == "" || c.Source == b.Source) && !yield(b) {
				return
			}
		}
	}
}
