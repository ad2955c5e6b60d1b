package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"carerecord/conformance/synth"
	"carerecord/interop/load"
)

// loadRoundSize is the number of resources after which a round of loading ends.
const loadRoundSize = 4000

// measureLoad measures transaction bundles, one after the other as load sends them: those of a region
// as their sources, those of files over HTTP. The baseline
// is synced batches of the same rows.
func (b *run) measureLoad(ctx context.Context) error {
	s, err := b.open(ctx, false, true)
	if err != nil {
		return err
	}
	raw, err := b.openRaw()
	if err != nil {
		return err
	}
	l := &loader{site: s, raw: raw, subject: &measurement{}, baseline: &measurement{}}
	if l.client, err = dial(s.address); err != nil {
		return err
	}
	defer l.client.close()
	name := "load of synthetic bundles, resources"
	if b.cfg.Data != "" {
		name = "load of " + filepath.Base(b.cfg.Data) + ", resources"
		err = l.loadFiles(ctx, b.cfg.Data)
	} else {
		err = l.loadSynthetic(ctx, b.cfg.Shape, b.cfg.Length)
	}
	if err != nil {
		return err
	}
	b.report.Rows = append(b.report.Rows, row(name, "synced batches, same rows", "8,000 resources/s", l.subject, l.baseline))
	if b.cfg.Data != "" {
		b.report.Disk, err = b.measureDisk(ctx, s, l.total)
	}
	return err
}

// loader collects bundles into rounds.
type loader struct {
	site              *target
	client            *client
	raw               Raw
	subject, baseline *measurement
	bundles           []synth.Bundle // those of files have no source
	resources         int            // in bundles
	total             int
}

// loadSynthetic loads patients of the region until the time is over.
func (l *loader) loadSynthetic(ctx context.Context, shape synth.Shape, length time.Duration) error {
	for bundle := range synth.Region(synth.Config{Patients: synth.MaxPatients, Seed: 2, Shape: shape}) {
		l.bundles = append(l.bundles, bundle)
		if l.resources += load.Size(bundle.Body); l.resources < min(loadRoundSize, 200*int(1+length/(20*time.Millisecond))) {
			continue
		}
		if err := l.sendRound(ctx); err != nil || l.subject.took >= length {
			return err
		}
	}
	return nil
}

// loadFiles loads all bundles of a folder.
func (l *loader) loadFiles(ctx context.Context, dir string) error {
	report, err := load.Files(ctx, []string{dir}, func(ctx context.Context, _ string, bundle []byte) (load.Outcome, error) {
		l.bundles = append(l.bundles, synth.Bundle{Body: bundle})
		if l.resources += load.Size(bundle); l.resources < loadRoundSize {
			return load.Outcome{}, nil
		}
		return load.Outcome{}, l.sendRound(ctx)
	}, func(int) {})
	if err != nil {
		return err
	}
	if report.Bundles == 0 {
		return fmt.Errorf("there are no bundles in %s", dir)
	}
	return l.sendRound(ctx)
}

// sendRound sends the collected bundles, and then applies their rows to the bare tree.
func (l *loader) sendRound(ctx context.Context) error {
	if len(l.bundles) == 0 {
		return nil
	}
	n, bundles := l.resources, l.bundles
	requests := make([]request, len(bundles))
	for i, bundle := range bundles {
		requests[i] = post(l.site, "", bundle.Body)
	}
	l.bundles, l.resources, l.total = nil, 0, l.total+n
	send := func(i int) error {
		if bundles[i].Source != "" {
			return l.site.record.Load(ctx, bundles[i].Source, bundles[i].Body)
		}
		return l.client.do(requests[i])
	}
	once := func(m *measurement, limit int, w func(int) error) error {
		_, err := m.run(ctx, 1, 0, 0, limit, func(_, i int) error { return w(i) })
		return err
	}
	if err := once(l.subject, len(requests), send); err != nil {
		return err
	}
	list := l.site.written.take()
	if err := once(l.baseline, len(list), func(i int) error { return l.raw.Apply(list[i]) }); err != nil {
		return err
	}
	l.subject.setUnits(len(requests), n)
	l.baseline.setUnits(len(list), n)
	return nil
}

// measureDisk compacts a record, closes it, opens and closes it once more, and measures its
// folder. A running engine keeps journal files for reuse; opening the store deletes them.
func (b *run) measureDisk(ctx context.Context, s *target, resources int) (*Disk, error) {
	if err := s.record.Compact(ctx); err != nil {
		return nil, fmt.Errorf("compact: %w", err)
	}
	if err := s.close(); err != nil {
		return nil, fmt.Errorf("close: %w", err)
	}
	reopened, err := b.cfg.Open(ctx, s.dir, Options{URL: "http://" + s.address})
	if err == nil {
		err = reopened.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("open again: %w", err)
	}
	d := &Disk{Resources: resources}
	err = filepath.WalkDir(s.dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil {
			d.Bytes += info.Size()
		}
		return err
	})
	d.PerResource = float64(d.Bytes) / float64(max(1, d.Resources))
	return d, err
}
