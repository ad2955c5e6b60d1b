// Package bench measures a record beside its limits, over HTTP on loopback.
//
// A time says little about a program: it is the machine's, and whoever else
// uses it. So every row has two sides, the subject and its limit, that do the
// same work in the same run, turn by turn in several rounds, and what counts is
// their ratio. Reading and searching stand beside a gin handler that answers
// with the same headers and bytes from memory; creating and loading beside
// synced batches of exactly the rows that the engine has just written, applied
// to a bare tree of the engine; the trail beside the same server without one.
//
// Both sides of a row are driven by the same clients, in this process: lean
// ones, that write prepared requests and count bytes, so that most of what is
// measured is the server.
package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"time"
)

// Config says what is measured, and with what.
type Config struct {
	Dir    string        // an empty folder; what is left in it is the caller's to remove
	Length time.Duration // how long one side of a row runs, over all rounds
	Data   string        // folder of transaction bundles to load; "" loads the synthetic region
	// Patients is how many patients the region has that is read, searched and
	// written to; 0 is 100.
	Patients int
	// Mix measures the search mix over a synthetic region of MixPatients, and
	// nothing else.
	Mix         bool
	MixPatients int
	// Ladder measures the search mix at each of these numbers of patients, one
	// region after the other, with four clients, and nothing else.
	Ladder []int
	Only   string // measure the rows of this name: read, create, trail or load; "" for all
	Open   Opener
	Raw    func(dir string) (Raw, error)
	Say    func(string) // told what is under way; nil for nobody
}

// Opener opens a record in a folder, to be served at the address url to
// everybody (--auth off).
type Opener func(ctx context.Context, dir string, o Options) (Record, error)

// Options say how a record is opened.
type Options struct {
	URL   string // of the site, without /fhir
	Trail bool   // keep a trail all the same
	// Batches is told the bytes of every batch before it is applied, one at a
	// time; they are valid until it returns. May be nil.
	Batches func([]byte)
}

// Record is an opened record.
type Record struct {
	Handler http.Handler
	Compact func(context.Context) error
	Close   func() error
}

// Raw applies batches to a bare tree of the engine.
type Raw struct {
	Apply func(batch []byte) error // durable when it returns; safe for concurrent use
	Close func() error
}

// rounds is how often the sides of a row take turns.
const rounds = 5

// clients is how many clients drive the rows of throughput.
const clients = 8

// Run measures every row. An error says why there is nothing to be reported: a
// request that was not answered as it should be is one.
func Run(ctx context.Context, cfg Config) (report *Report, err error) {
	if cfg.Length <= 0 {
		return nil, errors.New("bench: a row needs time")
	}
	if cfg.Patients == 0 {
		cfg.Patients = 100
	}
	if len(cfg.Ladder) > 0 && (cfg.Mix || cfg.Only != "" || cfg.Data != "" || slices.Min(cfg.Ladder) < 1) {
		return nil, errors.New("bench: the rungs of a ladder have at least one patient each, and it goes alone")
	}
	if cfg.Mix && (cfg.MixPatients < 1 || cfg.Only != "" || cfg.Data != "") {
		return nil, errors.New("bench: the mix is of at least one patient, and goes alone")
	}
	b := &run{cfg: cfg, report: &Report{Machine: machine()}}
	defer func() { err = errors.Join(err, b.close()) }()
	for _, step := range []struct {
		name string
		f    func(context.Context) error
	}{{"read", b.reading}, {"create", b.creating}, {"trail", b.trail}, {"load", b.loading}, {"mix", b.mixing}, {"ladder", b.climbing}} {
		if cfg.Mix != (step.name == "mix") || (len(cfg.Ladder) > 0) != (step.name == "ladder") {
			continue
		}
		if cfg.Only != "" && cfg.Only != step.name {
			continue
		}
		if cfg.Say != nil {
			cfg.Say(step.name)
		}
		if err := step.f(ctx); err != nil {
			return nil, fmt.Errorf("bench: %s: %w", step.name, err)
		}
	}
	return b.report, nil
}

// run is one run of the benchmarks.
type run struct {
	cfg    Config
	report *Report
	sites  int
	closes []func() error
}

// close ends whatever was opened, the newest first.
func (b *run) close() error {
	var errs []error
	for i := len(b.closes) - 1; i >= 0; i-- {
		errs = append(errs, b.closes[i]())
	}
	b.closes = nil
	return errors.Join(errs...)
}

// folder is a new name for a folder.
func (b *run) folder() string {
	b.sites++
	return filepath.Join(b.cfg.Dir, fmt.Sprintf("%02d", b.sites))
}

// raw opens a bare tree; it ends with the run.
func (b *run) raw() (Raw, error) {
	r, err := b.cfg.Raw(b.folder())
	if err == nil {
		b.closes = append(b.closes, r.Close)
	}
	return r, err
}
