package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"

	"carerecord/conformance/validate"
	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/load"
	"carerecord/store"
	"carerecord/synth"
)

// timeNever is an expiry that does not come.
var timeNever time.Time

// loadCmd loads files, a stream or a synthetic region into a record.
type loadCmd struct {
	Store     string `help:"pebble:DIR or mongodb://HOST/DATABASE; needs --source." xor:"where" required:""`
	To        string `help:"FHIR base of a running server; the token in CARERECORD_TOKEN decides what it may write." xor:"where" required:""`
	Source    string `help:"ODS code of the organisation that the data comes from, with --store."`
	Keys      string `help:"Folder of the sealing keys." type:"path"`
	Policy    string `help:"Folder of the policy." type:"path"`
	Auth      string `help:"off: a store that is served with --auth off." enum:"smart,off" default:"smart"`
	WordIndex *bool  `help:"Keep an index of all words in a new store, with --store. Default: as the store is keyed." negatable:""`
	// Validation is how strictly resources are judged.
	Validation validate.Mode `help:"strict, or lenient: missing mandatory elements and unknown codes of required bindings are accepted. With --store; with --to the server decides." default:"strict"`
	Report     string        `help:"File for the report of refusals. Default: standard error." type:"path"`
	Synth      int           `help:"Make a synthetic region of so many patients, and load it as it is made: each bundle as its own organisation's. Instead of paths."`
	Seed       uint64        `help:"Of the synthetic region." default:"1"`
	Path       []string      `arg:"" optional:"" help:"Bundles, resources and NDJSON, plain or .gz; folders are walked; - reads NDJSON from standard input." type:"existingpath"`
}

// Run loads every file and reports every refusal.
func (c *loadCmd) Run(ctx context.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	to, closeFn, err := c.target(ctx)
	if err != nil {
		return err
	}
	defer closeFn()
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetDescription("loading"), progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("resources"), progressbar.OptionThrottle(200*time.Millisecond))
	report, err := c.load(ctx, to, func(n int) { bar.Add(n) })
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

// check names a mistake in what is to be loaded.
func (c *loadCmd) check() error {
	switch {
	case c.WordIndex != nil && c.To != "":
		return errors.New("--word-index goes with --store: a server has its own")
	case c.Synth < 0 || c.Synth > synth.MaxPatients:
		return fmt.Errorf("--synth is from 1 to %d, not %d: the test range holds no more NHS numbers", synth.MaxPatients, c.Synth)
	case c.Synth > 0 && len(c.Path) > 0:
		return errors.New("--synth goes without paths")
	case c.Synth > 0 && c.Source != "":
		return errors.New("--synth loads each bundle as its own organisation's: it goes without --source")
	case c.Synth == 0 && len(c.Path) == 0:
		return errors.New("nothing to load: name paths, - for standard input, or --synth")
	case slices.Contains(c.Path, "-") && len(c.Path) > 1:
		return errors.New("- stands alone")
	}
	return nil
}

// load loads what the command line names.
func (c *loadCmd) load(ctx context.Context, to func(source string) load.Sender, progress func(int)) (*load.Report, error) {
	switch {
	case c.Synth > 0:
		return load.Bundles(ctx, func(yield func(load.SourceBundle) bool) {
			for b := range synth.Region(synth.Config{Patients: c.Synth, Seed: c.Seed}) {
				if !yield(load.SourceBundle{Source: b.Source, Name: b.Name, Bundle: b.Body}) {
					return
				}
			}
		}, to, progress)
	case c.Path[0] == "-":
		return load.NDJSON(ctx, os.Stdin, to(c.Source), progress)
	}
	return load.Files(ctx, c.Path, to(c.Source), progress)
}

// target makes the functions that store the bundles of a source.
func (c *loadCmd) target(ctx context.Context) (func(source string) load.Sender, func(), error) {
	if c.To != "" {
		if c.Source != "" {
			return nil, nil, errors.New("--source goes with --store: with --to the token says whose data it is")
		}
		if c.Validation != validate.Strict {
			return nil, nil, errors.New("--validation goes with --store: with --to the server judges as it was started")
		}
		send := load.HTTP(http.DefaultClient, c.To, os.Getenv("CARERECORD_TOKEN"))
		return func(string) load.Sender { return send }, func() {}, nil
	}
	if c.Source == "" && c.Auth != "off" && c.Synth == 0 {
		return nil, nil, errors.New("--store needs --source: the ODS code of the organisation that the data comes from")
	}
	s, err := storeFlags{Store: c.Store, Keys: c.Keys, Policy: c.Policy}.settings()
	if err != nil {
		return nil, nil, err
	}
	s.unguarded, s.words = c.Auth == "off", c.WordIndex
	if client := socketClient(s); client != nil {
		if c.WordIndex != nil {
			return nil, nil, errors.New("a server is running and keys as it does: load without --word-index")
		}
		return func(source string) load.Sender { return c.through(client, source) }, func() {}, nil
	}
	r, err := openRecord(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	finish := func() {
		if err := r.catchUp(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("documents that depend on what was loaded are keyed when the store is next served", "err", err)
		}
		r.close()
	}
	return func(source string) load.Sender { return r.sender(source, c.Validation) }, finish, nil
}

// sender stores bundles of a source in a record that is held here.
func (r *record) sender(source string, mode validate.Mode) load.Sender {
	return func(ctx context.Context, mark string, bundle []byte) (load.Outcome, error) {
		if !r.held.sure() {
			return load.Outcome{}, errLost
		}
		return r.loadBundle(ctx, source, mark, bundle, mode), nil
	}
}

// through sends bundles to the server that holds the store.
func (c *loadCmd) through(client *http.Client, source string) load.Sender {
	return func(ctx context.Context, mark string, bundle []byte) (load.Outcome, error) {
		q := url.Values{"source": {source}, "mark": {mark}, "validation": {c.Validation.String()}}
		out, err := ask(ctx, client, "POST", "/load?"+q.Encode(), bundle)
		if err != nil {
			return load.Outcome{}, err
		}
		var o load.Outcome
		return o, json.Unmarshal(out, &o)
	}
}

// loadBundle stores one transaction bundle as the feed of an organisation, with
// its mark in the same commit. A bundle whose mark stands is skipped.
func (r *record) loadBundle(ctx context.Context, source, mark string, body []byte, mode validate.Mode) load.Outcome {
	notBegun := func(err error) load.Outcome {
		return load.Outcome{Failed: errors.Join(err, r.note(ctx, failed(audit.Operation{Name: "load", Who: operatorName()}, err))).Error()}
	}
	if err := r.confirmed(); err != nil {
		return notBegun(err)
	}
	if mark != "" {
		switch _, err := r.engine.Lookup(ctx, "load/"+mark); {
		case err == nil:
			return load.Outcome{Skipped: true}
		case !errors.Is(err, store.ErrNotFound):
			return load.Outcome{Failed: err.Error()}
		}
	}
	feed, err := r.feedOf(source)
	if err != nil {
		return notBegun(err)
	}
	var marks []store.StateWrite
	if mark != "" {
		marks = []store.StateWrite{{Key: "load/" + mark, Value: []byte("1"), New: true}}
	}
	err = r.rest.Load(ctx, feed, body, marks, mode)
	switch e, ok := fhir.AsError(err); {
	case err == nil:
		return load.Outcome{Resources: load.Size(body)}
	case ok && e.Status < 500:
		return load.Outcome{Refused: e.Issues}
	default:
		return load.Outcome{Failed: err.Error()}
	}
}
