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

// about returns the body with another patient as its subject.
func (o observation) about(patient string) []byte {
	return bytes.Replace(o.body, []byte(`"`+o.patient+`"`), []byte(`"`+patient+`"`), 1)
}

// observations returns the first Observations of the region.
func (b *run) observations(n int) []observation {
	var out []observation
	for bundle := range b.people() {
		gjson.GetBytes(bundle.Body, "entry.#.resource").ForEach(func(_, r gjson.Result) bool {
			if r.Get("resourceType").Str == "Observation" {
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

// creates are the requests of the rows that create.
func (b *run) creates(at *site) []request {
	var out []request
	for _, o := range b.observations(1000) {
		out = append(out, post(at, "Observation", o.body))
	}
	return out
}

// creating measures create beside synced batches of the rows that it made.
func (b *run) creating(ctx context.Context) error {
	s, err := b.region(ctx, false, true)
	if err != nil {
		return err
	}
	raw, err := b.raw()
	if err != nil {
		return err
	}
	if err := repeat(ctx, &side{}, raw, 1, s.taken.take()); err != nil { // the region
		return err
	}
	subject, beside := &side{}, &side{}
	requests := b.creates(s)
	for range rounds {
		if err := b.send(ctx, subject, s, clients, requests); err != nil {
			return err
		}
		if err := repeat(ctx, beside, raw, clients, s.taken.take()); err != nil {
			return err
		}
	}
	b.report.Rows = append(b.report.Rows, row("create, 8 clients", "synced batches, same rows, 8 writers", "ratio 0.60", subject, beside))
	return nil
}

// repeat applies batches to a bare tree, as one round of a side.
func repeat(ctx context.Context, of *side, raw Raw, writers int, list [][]byte) error {
	_, err := of.drive(ctx, writers, 0, 0, len(list), func(_, n int) error { return raw.Apply(list[n]) })
	return err
}

// trail measures what the trail costs a read and a create: the same server
// with and without it.
func (b *run) trail(ctx context.Context) error {
	on, err := b.region(ctx, true, false)
	if err != nil {
		return err
	}
	off, err := b.region(ctx, false, false)
	if err != nil {
		return err
	}
	paths, err := b.known()
	if err != nil {
		return err
	}
	reads := func(at *site) (out []request) {
		for _, p := range paths {
			out = append(out, get(at, p))
		}
		return out
	}
	for _, r := range []struct {
		name     string
		requests func(*site) []request
	}{{"read", reads}, {"create", b.creates}} {
		subject, beside := &side{}, &side{}
		for range rounds {
			if err := b.send(ctx, subject, on, clients, r.requests(on)); err != nil {
				return err
			}
			if err := b.send(ctx, beside, off, clients, r.requests(off)); err != nil {
				return err
			}
		}
		b.report.Rows = append(b.report.Rows, row(r.name+", trail on, 8 clients", r.name+", trail off", "", subject, beside))
	}
	return nil
}
