package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"carerecord/fhir"
	"carerecord/fhir/validate"
	"carerecord/load"
	"carerecord/store"
)

// timeNever is an expiry that does not come.
var timeNever time.Time

// loadCmd loads files into a record.
type loadCmd struct {
	Store  string `help:"pebble:DIR or mongodb://HOST/DATABASE; needs --source." xor:"where" required:""`
	To     string `help:"FHIR base of a running server; the token in CARERECORD_TOKEN decides what it may write." xor:"where" required:""`
	Source string `help:"ODS code of the organisation that the data comes from, with --store."`
	Keys   string `help:"Folder of the sealing keys." type:"path"`
	Policy string `help:"Folder of the policy." type:"path"`
	Auth   string `help:"off: a store that is served with --auth off." enum:"smart,off" default:"smart"`
	// Validation is how strictly resources are judged.
	Validation validate.Mode `help:"strict, or lenient: missing mandatory elements and unknown codes of required bindings are accepted. With --store; with --to the server decides." default:"strict"`
	Report     string        `help:"File for the report of refusals. Default: standard error." type:"path"`
	Path       []string      `arg:"" help:"Bundles, resources and NDJSON, plain or .gz; folders are walked." type:"existingpath"`
}

// Run loads every file and reports every refusal.
func (c *loadCmd) Run(ctx context.Context) error {
	send, closeFn, err := c.target(ctx)
	if err != nil {
		return err
	}
	defer closeFn()
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetDescription("loading"), progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("resources"), progressbar.OptionThrottle(200*time.Millisecond))
	report, err := load.Files(ctx, c.Path, send, func(n int) { bar.Add(n) })
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

// target makes the function that stores one bundle.
func (c *loadCmd) target(ctx context.Context) (load.Send, func(), error) {
	if c.To != "" {
		if c.Source != "" {
			return nil, nil, errors.New("--source goes with --store: with --to the token says whose data it is")
		}
		if c.Validation != validate.Strict {
			return nil, nil, errors.New("--validation goes with --store: with --to the server judges as it was started")
		}
		return load.HTTP(http.DefaultClient, c.To, os.Getenv("CARERECORD_TOKEN")), func() {}, nil
	}
	if c.Source == "" && c.Auth != "off" {
		return nil, nil, errors.New("--store needs --source: the ODS code of the organisation that the data comes from")
	}
	s, err := storeFlags{Store: c.Store, Keys: c.Keys, Policy: c.Policy}.settings()
	if err != nil {
		return nil, nil, err
	}
	s.unguarded = c.Auth == "off"
	if client := socketClient(s); client != nil {
		return func(ctx context.Context, mark string, bundle []byte) (load.Outcome, error) {
			q := url.Values{"source": {c.Source}, "mark": {mark}, "validation": {c.Validation.String()}}
			out, err := ask(ctx, client, "POST", "/load?"+q.Encode(), bundle)
			if err != nil {
				return load.Outcome{}, err
			}
			var o load.Outcome
			return o, json.Unmarshal(out, &o)
		}, func() {}, nil
	}
	r, err := openRecord(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, mark string, bundle []byte) (load.Outcome, error) {
		if !r.held.sure() {
			return load.Outcome{}, errLost
		}
		return r.loadBundle(ctx, c.Source, mark, bundle, c.Validation), nil
	}, func() { r.close() }, nil
}

// loadBundle stores one transaction bundle as the feed of an organisation, with
// its mark in the same commit. A bundle whose mark stands is skipped.
func (r *record) loadBundle(ctx context.Context, source, mark string, body []byte, mode validate.Mode) load.Outcome {
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
		return load.Outcome{Failed: err.Error()}
	}
	var marks []store.StateWrite
	if mark != "" {
		marks = []store.StateWrite{{Key: "load/" + mark, Value: []byte("1")}}
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
