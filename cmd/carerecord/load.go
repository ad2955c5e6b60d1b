package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"

	"carerecord/cmd/carerecord/internal/node"
	"carerecord/conformance/synth"
	"carerecord/conformance/validate"
	"carerecord/interop/load"
)

// loadCmd loads files, a stream or a synthetic region into a record.
type loadCmd struct {
	Store      string        `help:"pebble:DIR or mongodb://HOST/DATABASE; needs --source." xor:"where" required:""`
	To         string        `help:"FHIR base of a running server; the token in CARERECORD_TOKEN decides what it may write." xor:"where" required:""`
	Source     string        `help:"ODS code of the organisation that the data comes from, with --store."`
	Keys       string        `help:"Folder of the sealing keys." type:"path"`
	Policy     string        `help:"Folder of the policy." type:"path"`
	Auth       string        `help:"off: a store that is served with --auth off." enum:"smart,off" default:"smart"`
	WordIndex  *bool         `help:"Index all words in a new store, with --store. Default: as the store is keyed." negatable:""`
	Validation validate.Mode `help:"strict, or lenient: missing mandatory elements and unknown codes of required bindings are accepted. With --store; with --to the server decides." default:"strict"`
	Report     string        `help:"File for the report of refusals. Default: standard error." type:"path"`
	Synth      int           `help:"Generate a synthetic region of this many patients and load it, each bundle as its own organisation's, instead of paths."`
	Seed       uint64        `help:"Seed of the synthetic region." default:"1"`
	Shape      synth.Shape   `help:"Of the synthetic region: region (each source and the patient index send their own Patient of a person) or single (the registered practice sends the only one)." default:"region"`
	Path       []string      `arg:"" optional:"" help:"Bundles, resources and NDJSON, plain or .gz; folders with their subfolders, in which files that are named Patient are loaded first; - reads NDJSON from standard input." type:"existingpath"`
}

// Run loads every file and reports every refusal.
func (c *loadCmd) Run(ctx context.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	sender, closeAll, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetDescription("loading"), progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("resources"), progressbar.OptionThrottle(200*time.Millisecond))
	report, err := c.load(ctx, sender, func(n int) { bar.Add(n) })
	bar.Finish()
	if err != nil {
		return err
	}
	out := os.Stderr
	if c.Report != "" {
		if out, err = os.Create(c.Report); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		defer out.Close()
	}
	fmt.Fprintln(os.Stderr)
	report.Print(out, c.To != "")
	fmt.Printf("%d resources in %s: %.0f resources/s\n", report.Resources, report.Took.Round(time.Millisecond), float64(report.Resources)/report.Took.Seconds())
	if len(report.Refused) > 0 {
		return fmt.Errorf("%d bundles were refused", len(report.Refused))
	}
	return nil
}

// check returns an error for flags that contradict each other.
func (c *loadCmd) check() error {
	switch {
	case c.WordIndex != nil && c.To != "":
		return errors.New("--word-index needs --store: a server decides itself whether words have keys")
	case c.Source != "" && c.To != "":
		return errors.New("--source needs --store: with --to the token decides whose data it is")
	case c.Validation != validate.Strict && c.To != "":
		return errors.New("--validation needs --store: with --to the server decides")
	case c.Synth < 0 || c.Synth > synth.MaxPatients:
		return fmt.Errorf("--synth must be from 1 to %d, not %d: the test range has no more NHS numbers", synth.MaxPatients, c.Synth)
	case c.Synth > 0 && len(c.Path) > 0:
		return errors.New("--synth cannot be used with paths")
	case c.Synth > 0 && c.Source != "":
		return errors.New("--synth loads each bundle as its own organisation's: it cannot be used with --source")
	case c.Synth == 0 && len(c.Path) == 0:
		return errors.New("nothing to load: name paths, - for standard input, or --synth")
	case slices.Contains(c.Path, "-") && len(c.Path) > 1:
		return errors.New("- cannot be used with other paths")
	case c.Source == "" && c.To == "" && c.Auth != "off" && c.Synth == 0:
		return errors.New("--store needs --source: the ODS code of the organisation that the data comes from")
	}
	return nil
}

// load loads the paths, standard input or the synthetic region.
func (c *loadCmd) load(ctx context.Context, sender func(source string) load.Sender, progress func(int)) (*load.Report, error) {
	switch {
	case c.Synth > 0:
		return load.Bundles(ctx, node.Region(synth.Config{Patients: c.Synth, Seed: c.Seed, Shape: c.Shape}), sender, progress)
	case c.Path[0] == "-":
		return load.NDJSON(ctx, os.Stdin, sender(c.Source), progress)
	}
	return load.Files(ctx, c.Path, sender(c.Source), progress)
}

// open returns the senders of sources, and a function that closes them.
func (c *loadCmd) open(ctx context.Context) (sender func(source string) load.Sender, closeAll func(), err error) {
	if c.To != "" {
		send := load.HTTP(http.DefaultClient, c.To, os.Getenv("CARERECORD_TOKEN"))
		return func(string) load.Sender { return send }, func() {}, nil
	}
	cfg, err := storeFlags{Store: c.Store, Keys: c.Keys, Policy: c.Policy}.config()
	if err != nil {
		return nil, nil, err
	}
	setAuth(&cfg, c.Auth)
	cfg.WordIndex, cfg.Validation = c.WordIndex, c.Validation
	l, err := node.OpenLoader(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	return l.Sender, func() { l.Close(ctx) }, nil
}
