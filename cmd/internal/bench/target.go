package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"strings"
	"sync"

	"carerecord/conformance/synth"
)

// target is a handler that is served on loopback.
type target struct {
	address string
	record  Record // the zero Record for a bare handler
	dir     string
	written *recorder // by the engine, if it was opened with Options.Batches
	close   func() error
}

// recorder keeps the batches of the engine until they are applied to a bare tree.
type recorder struct {
	mu   sync.Mutex
	list [][]byte
}

func (b *recorder) add(batch []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, bytes.Clone(batch))
}

// take returns the batches since the last call, in their order.
func (b *recorder) take() [][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.list
	b.list = nil
	return list
}

// serve opens a handler with the URL that it will have, and serves it.
func (b *run) serve(open func(url string) (http.Handler, error)) (*target, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	h, err := open("http://" + l.Addr().String())
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	server := &http.Server{Handler: h}
	go server.Serve(l) // ends with Close
	s := &target{address: l.Addr().String(), close: sync.OnceValue(server.Close)}
	b.closes = append(b.closes, s.close)
	return s, nil
}

// open serves a new, empty record.
func (b *run) open(ctx context.Context, audit, take bool) (*target, error) {
	dir := b.newFolder()
	var rec Record
	written := &recorder{}
	s, err := b.serve(func(url string) (http.Handler, error) {
		o := Options{URL: url, Audit: audit}
		if take {
			o.Batches = written.add
		}
		var err error
		rec, err = b.cfg.Open(ctx, dir, o)
		return rec.Handler, err
	})
	if err != nil {
		return nil, err
	}
	s.record, s.dir, s.written = rec, dir, written
	stop := s.close
	s.close = sync.OnceValue(func() error { return errors.Join(stop(), rec.Close()) })
	b.closes[len(b.closes)-1] = s.close
	return s, nil
}

// region returns the region for reads, searches and creates.
func (b *run) region() iter.Seq[synth.Bundle] {
	return synth.Region(synth.Config{Patients: b.cfg.Patients, Seed: 1, Shape: b.cfg.Shape})
}

// openRegion serves a record with the synthetic region.
func (b *run) openRegion(ctx context.Context, audit, take bool) (*target, error) {
	s, err := b.open(ctx, audit, take)
	if err != nil {
		return nil, err
	}
	for bundle := range b.region() {
		if err := s.record.Load(ctx, bundle.Source, bundle.Body); err != nil {
			return nil, fmt.Errorf("load the region: %w", err)
		}
	}
	return s, nil
}

// request is one prepared request.
type request struct {
	bytes []byte
	path  string // of a GET
	want  int    // status
}

func get(s *target, path string) request {
	return request{path: path, want: http.StatusOK, bytes: fmt.Appendf(nil, "GET /fhir/%s HTTP/1.1\r\nHost: %s\r\n\r\n", path, s.address)}
}

// post returns the request that creates a resource of a type; a transaction for the type "".
func post(s *target, typ string, body []byte) request {
	r := request{want: http.StatusCreated}
	if typ == "" {
		r.want = http.StatusOK
	}
	r.bytes = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n",
		strings.TrimSuffix("/fhir/"+typ, "/"), s.address, len(body))
	r.bytes = append(r.bytes, body...)
	return r
}
