package load

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"
)

// NDJSON loads NDJSON from a stream, as Files does from a file.
func NDJSON(ctx context.Context, in io.Reader, send Sender, progress func(int)) (*Report, error) {
	start := time.Now()
	r := &Report{Files: 1}
	err := readLines(in, r.eachBundle(ctx, "-", send, progress))
	r.Took = time.Since(start)
	if err != nil {
		return r, fmt.Errorf("load the stream: %w", err)
	}
	return r, nil
}

// SourceBundle is one transaction bundle of a source.
type SourceBundle struct {
	Source string // ODS code
	Name   string
	Bundle []byte
}

// Bundles loads bundles of several sources in their order, in bounded memory. to returns the
// Sender of a source. The mark of a bundle depends on its source, name and bytes, so a stream
// that is generated again is resumed.
func Bundles(ctx context.Context, items iter.Seq[SourceBundle], to func(source string) Sender, progress func(int)) (*Report, error) {
	start := time.Now()
	r := &Report{}
	defer func() { r.Took = time.Since(start) }()
	senders := map[string]Sender{}
	for item := range items {
		send := senders[item.Source]
		if send == nil {
			send = to(item.Source)
			senders[item.Source] = send
		}
		if err := r.loadBundle(ctx, item.Source+" "+item.Name, 1, send, progress, item.Bundle); err != nil {
			return r, fmt.Errorf("load %s of %s: %w", item.Name, item.Source, err)
		}
	}
	return r, nil
}
