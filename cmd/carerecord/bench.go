package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"

	"carerecord/cmd/carerecord/internal/node"
	"carerecord/cmd/internal/bench"
	"carerecord/conformance/synth"
	"carerecord/conformance/validate"
	"carerecord/store/pebble"
)

// benchCmd runs the built-in benchmarks.
type benchCmd struct {
	Seconds  float64     `help:"How many seconds each measurement runs." default:"3"`
	Data     string      `help:"Folder of transaction bundles, all of which are loaded instead of the synthetic region." type:"existingdir"`
	Dir      string      `help:"Folder for the stores, on the disk to measure. Default: a temporary one." type:"existingdir"`
	Only     string      `help:"Measure these rows only." enum:"read,persons,create,trail,load," default:""`
	Shape    synth.Shape `help:"Of the synthetic region: region (each source and the patient index send their own Patient of a person) or single (the registered practice sends the only one)." default:"region"`
	Mix      bool        `help:"Measure only the search mix, over a synthetic region."`
	Patients int         `help:"Number of patients of the region of --mix." default:"200"`
	Ladder   []int       `help:"Measure the search mix at each of these numbers of patients, with four clients."`
	Plot     string      `help:"File for an SVG plot of the ladder." type:"path"`
	JSON     bool        `name:"json" help:"Print JSON instead of the table."`
	Profile  string      `help:"File for a CPU profile of the whole run." type:"path"`
}

// Run measures the embedded engine in a temporary folder.
func (c *benchCmd) Run(ctx context.Context) error { return c.run(ctx, os.Stdout, 0) }

func (c *benchCmd) run(ctx context.Context, out io.Writer, patients int) (err error) {
	dir, err := os.MkdirTemp(c.Dir, "carerecord-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for the stores: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if c.Profile != "" {
		f, err := os.Create(c.Profile)
		if err != nil {
			return fmt.Errorf("write the profile: %w", err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	report, err := bench.Run(ctx, bench.Config{Dir: dir, Length: time.Duration(c.Seconds * float64(time.Second)), Data: c.Data, Only: c.Only, Patients: patients, Shape: c.Shape, Mix: c.Mix, MixPatients: c.Patients, Ladder: c.Ladder,
		Open: openBench, Raw: openRaw, Progress: func(row string) { fmt.Fprintln(os.Stderr, "measuring:", row) }})
	if err != nil {
		return err
	}
	if c.Plot != "" && report.Ladder != nil {
		if err := plot(c.Plot, report.Ladder); err != nil {
			return err
		}
	}
	if c.JSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	report.Print(out)
	return nil
}

func plot(name string, rungs []*bench.Mix) error {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("write the plot: %w", err)
	}
	return errors.Join(bench.Plot(f, rungs), f.Close())
}

// openBench opens a record as serve --auth off with the policy of the sample region does, over an engine that reports
// its writes.
func openBench(ctx context.Context, dir string, o bench.Options) (bench.Record, error) {
	limits := node.DefaultLimits()
	if err := limits.Set(map[string]string{"client-rate": "0"}); err != nil { // all clients have one address here
		return bench.Record{}, err
	}
	e, err := pebble.Open(pebble.Config{Dir: filepath.Join(dir, "db"), Clock: time.Now, Batches: o.Batches})
	if err != nil {
		return bench.Record{}, err
	}
	policy := filepath.Join(dir, "policy") // it says which Patients are one person
	if err := node.WriteSamplePolicy(policy); err != nil {
		return bench.Record{}, err
	}
	cfg := node.Config{Engine: e, PolicyDir: policy, PublicURL: o.URL, Auth: node.AuthOff, Limits: &limits, KeysDir: filepath.Join(dir, "keys"), Log: slog.New(slog.DiscardHandler)}
	if o.Audit {
		cfg.Auth = node.AuthOffAudited
	}
	n, err := node.Open(ctx, cfg)
	if err != nil {
		return bench.Record{}, err
	}
	loader := n.Loader(validate.Strict)
	load := func(ctx context.Context, source string, bundle []byte) error {
		out, err := loader.Sender(source)(ctx, "", bundle)
		if err == nil && (out.Failed != "" || len(out.Refused) > 0) {
			err = fmt.Errorf("a bundle of %s is not stored: %s %v", source, out.Failed, out.Refused)
		}
		return err
	}
	return bench.Record{Handler: n.Handler(), Load: load, Compact: e.Compact, Close: n.Close}, nil
}

func openRaw(dir string) (bench.Raw, error) {
	raw, err := pebble.OpenRaw(dir)
	if err != nil {
		return bench.Raw{}, err
	}
	return bench.Raw{Apply: raw.Apply, Close: raw.Close}, nil
}
