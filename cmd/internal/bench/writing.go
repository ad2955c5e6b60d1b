package bench

import (
	"bytes"
	"context"

	"github.com/tidwall/gjson"
)

// observation is the body of an Observation of the region.
type observation struct {
	body    []byte
	patient string // Patient/…
}

// withPatient returns the body with another patient as its subject.
func (o observation) withPatient(patient string) []byte {
	return bytes.Replace(o.body, []byte(`"`+o.patient+`"`), []byte(`"`+patient+`"`), 1)
}

// observations returns the first Observations of the region.
func (b *run) observations(n int) []observation {
	var out []observation
	for bundle := range b.region() {
		gjson.GetBytes(bundle.Body, "entry.#.resource").ForEach(func(_, r gjson.Result) bool {
			if r.Get("resourceType").Str == "Observation" && r.Get("subject.reference").Exists() {
				out = append(out, observation{[]byte(r.Raw), r.Get("subject.reference").Str})
			}
			return len(out) < n
		})
		if len(out) == n {
			break
		}
	}
	return out
}

// creates returns the requests of the rows that create.
func (b *run) creates(at *target) []request {
	var out []request
	for _, o := range b.observations(1000) {
		out = append(out, post(at, "Observation", o.body))
	}
	return out
}

// measureCreates measures create. The baseline is synced batches of the same rows.
func (b *run) measureCreates(ctx context.Context) error {
	s, err := b.openRegion(ctx, false, true)
	if err != nil {
		return err
	}
	raw, err := b.openRaw()
	if err != nil {
		return err
	}
	if err := applyBatches(ctx, &measurement{}, raw, 1, s.written.take()); err != nil { // the region
		return err
	}
	subject, baseline := &measurement{}, &measurement{}
	requests := b.creates(s)
	for range rounds {
		if err := b.send(ctx, subject, s, clients, requests); err != nil {
			return err
		}
		if err := applyBatches(ctx, baseline, raw, clients, s.written.take()); err != nil {
			return err
		}
	}
	b.report.Rows = append(b.report.Rows, row("create, 8 clients", "synced batches, same rows, 8 writers", "ratio 0.60", subject, baseline))
	return nil
}

// applyBatches applies batches to a bare tree, as one round.
func applyBatches(ctx context.Context, m *measurement, raw Raw, writers int, list [][]byte) error {
	_, err := m.run(ctx, writers, 0, 0, len(list), func(_, n int) error { return raw.Apply(list[n]) })
	return err
}

// measureAudit measures the cost of the audit trail for a read and a create, on the same server
// with and without it.
func (b *run) measureAudit(ctx context.Context) error {
	on, err := b.openRegion(ctx, true, false)
	if err != nil {
		return err
	}
	off, err := b.openRegion(ctx, false, false)
	if err != nil {
		return err
	}
	paths, err := b.readPaths()
	if err != nil {
		return err
	}
	reads := func(at *target) (out []request) {
		for _, p := range paths {
			out = append(out, get(at, p))
		}
		return out
	}
	for _, r := range []struct {
		name     string
		requests func(*target) []request
	}{{"read", reads}, {"create", b.creates}} {
		subject, baseline := &measurement{}, &measurement{}
		for range rounds {
			if err := b.send(ctx, subject, on, clients, r.requests(on)); err != nil {
				return err
			}
			if err := b.send(ctx, baseline, off, clients, r.requests(off)); err != nil {
				return err
			}
		}
		b.report.Rows = append(b.report.Rows, row(r.name+", trail on, 8 clients", r.name+", trail off", "", subject, baseline))
	}
	return nil
}
