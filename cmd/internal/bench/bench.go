// Package bench measures a server over HTTP on loopback, and compares it with a limit.
//
// A time alone says little about a program, since it depends on the machine and on its other
// load. So every row has two measurements, the subject and a baseline, which do the same work in
// the same run, in alternating rounds; the result is their ratio. The baseline of reads and
// searches is a gin handler that answers with the same headers and bytes from memory. That of
// creates and loads applies the batches that the engine has just written, synced, to a bare
// tree of the engine. That of the audit trail is the same server without one.
//
// Both are driven by the same clients in this process, which write prepared requests and count
// bytes, so that most of the measured time is the server's.
package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"carerecord/conformance/synth"
)

// Config selects the measurements, and how stores are opened.
type Config struct {
	Dir    string        // an empty folder; the caller removes it
	Length time.Duration // how long each measurement of a row runs, over all rounds
	Data   string        // folder of transaction bundles to load; "" loads the synthetic region
	// Patients is how many patients the region has for reads, searches and creates; 0 is 25.
	Patients int
	Shape    synth.Shape // of all regions
	// Mix measures only the search mix, over a synthetic region of MixPatients.
	Mix         bool
	MixPatients int
	// Ladder measures only the search mix, at each of these numbers of patients, with four
	// clients.
	Ladder   []int
	Only     string // measure the rows of this name: read, persons, create, trail or load; "" for all
	Open     Opener
	Raw      func(dir string) (Raw, error)
	Progress func(string) // is called before each measurement with its name; may be nil
}

// Opener opens a record in a folder, to be served as with --auth off.
type Opener func(ctx context.Context, dir string, o Options) (Record, error)

// Options describe how a record is opened.
type Options struct {
	URL   string // of the site, without /fhir
	Audit bool   // write an audit trail
	// Batches is called with the bytes of every batch before it is applied, one batch at a time.
	// The bytes are valid until it returns. May be nil.
	Batches func([]byte)
}

// Record is an opened record.
type Record struct {
	Handler http.Handler
	// Load stores a transaction bundle as the source system of an organisation, by ODS code, and not
	// over HTTP: there, no bundle has a source.
	Load    func(ctx context.Context, source string, bundle []byte) error
	Compact func(context.Context) error
	Close   func() error
}

// Raw applies batches to a bare tree of the engine.
type Raw struct {
	Apply func(batch []byte) error // durable when it returns; safe for concurrent use
	Close func() error
}

// rounds is how many rounds each measurement of a row has.
const rounds = 5

// clients is how many clients send the requests of the rows of throughput.
const clients = 8

// Run measures every row. A request with an unexpected answer is an error.
func Run(ctx context.Context, cfg Config) (report *Report, err error) {
	if cfg.Length <= 0 {
		return nil, errors.New("bench: the length of a row must be positive")
	}
	if cfg.Patients == 0 {
		cfg.Patients = 25
	}
	if len(cfg.Ladder) > 0 && (cfg.Mix || cfg.Only != "" || cfg.Data != "" || slices.Min(cfg.Ladder) < 1) {
		return nil, errors.New("bench: each number of --ladder must be at least 1, and --ladder cannot be used with --mix, --only or --data")
	}
	if cfg.Mix && (cfg.MixPatients < 1 || cfg.Only != "" || cfg.Data != "") {
		return nil, errors.New("bench: --mix needs at least one patient, and cannot be used with --only or --data")
	}
	b := &run{cfg: cfg, report: &Report{Machine: describeMachine()}}
	defer func() { err = errors.Join(err, b.close()) }()
	for _, step := range []struct {
		name string
		f    func(context.Context) error
	}{{"read", b.measureReads}, {"persons", b.measurePersons}, {"create", b.measureCreates}, {"trail", b.measureAudit}, {"load", b.measureLoad}, {"mix", b.measureMix}, {"ladder", b.measureLadder}} {
		if cfg.Mix != (step.name == "mix") || (len(cfg.Ladder) > 0) != (step.name == "ladder") {
			continue
		}
		if cfg.Only != "" && cfg.Only != step.name {
			continue
		}
		if cfg.Progress != nil {
			cfg.Progress(step.name)
		}
		if err := step.f(ctx); err != nil {
			return nil, fmt.Errorf("bench: %s: %w", step.name, err)
		}
	}
	return b.report, nil
}

// run is one run of the benchmarks.
type run struct {
	cfg     Config
	report  *Report
	folders int
	closes  []func() error
}

// close closes everything that was opened, the newest first.
func (b *run) close() error {
	var errs []error
	for i := len(b.closes) - 1; i >= 0; i-- {
		errs = append(errs, b.closes[i]())
	}
	b.closes = nil
	return errors.Join(errs...)
}

// newFolder is a new name for a folder.
func (b *run) newFolder() string {
	b.folders++
	return filepath.Join(b.cfg.Dir, fmt.Sprintf("%02d", b.folders))
}

// openRaw opens a bare tree; it ends with the run.
func (b *run) openRaw() (Raw, error) {
	r, err := b.cfg.Raw(b.newFolder())
	if err == nil {
		b.closes = append(b.closes, r.Close)
	}
	return r, err
}
