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

// site is a handler that is served on loopback.
type site struct {
	address string
	record  Record // of a record; the zero Record for a bare handler
	dir     string
	taken   *batches // what the engine wrote, where that is asked for
	close   func() error
}

// batches keeps what the engine writes until a raw writer has repeated it.
type batches struct {
	mu   sync.Mutex
	list [][]byte
}

func (b *batches) add(batch []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, bytes.Clone(batch))
}

// take returns what was added since the last call, in its order.
func (b *batches) take() [][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.list
	b.list = nil
	return list
}

// serve serves a handler at an address that the handler may know.
func (b *run) serve(open func(url string) (http.Handler, error)) (*site, error) {
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
	s := &site{address: l.Addr().String(), close: sync.OnceValue(server.Close)}
	b.closes = append(b.closes, s.close)
	return s, nil
}

// open serves a new, empty record.
func (b *run) open(ctx context.Context, trail, take bool) (*site, error) {
	dir := b.folder()
	var rec Record
	taken := &batches{}
	s, err := b.serve(func(url string) (http.Handler, error) {
		o := Options{URL: url, Trail: trail}
		if take {
			o.Batches = taken.add
		}
		var err error
		rec, err = b.cfg.Open(ctx, dir, o)
		return rec.Handler, err
	})
	if err != nil {
		return nil, err
	}
	s.record, s.dir, s.taken = rec, dir, taken
	stop := s.close
	s.close = sync.OnceValue(func() error { return errors.Join(stop(), rec.Close()) })
	b.closes[len(b.closes)-1] = s.close
	return s, nil
}

// people is the region that is read, searched and written to.
func (b *run) people() iter.Seq[synth.Bundle] {
	return synth.Sample(synth.Config{Patients: b.cfg.Patients, Seed: 1})
}

// region serves a record that holds the synthetic region.
func (b *run) region(ctx context.Context, trail, take bool) (*site, error) {
	s, err := b.open(ctx, trail, take)
	if err != nil {
		return nil, err
	}
	c, err := dial(s.address)
	if err != nil {
		return nil, err
	}
	defer c.close()
	for bundle := range b.people() {
		if err := c.do(post(s, "", bundle.Body)); err != nil {
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

func get(s *site, path string) request {
	return request{path: path, want: http.StatusOK, bytes: fmt.Appendf(nil, "GET /fhir/%s HTTP/1.1\r\nHost: %s\r\n\r\n", path, s.address)}
}

// post is a create of a type; of type "" a transaction.
func post(s *site, typ string, body []byte) request {
	r := request{want: http.StatusCreated}
	if typ == "" {
		r.want = http.StatusOK
	}
	r.bytes = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n",
		strings.TrimSuffix("/fhir/"+typ, "/"), s.address, len(body))
	r.bytes = append(r.bytes, body...)
	return r
}
