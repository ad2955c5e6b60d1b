// Package load reads FHIR from files and hands it on as transaction bundles:
// Bundles as they are, single resources and NDJSON gathered into bundles, plain
// or gzipped, one at a time in bounded memory.
//
// A load can be resumed. Every bundle has a mark, made of its file's name and
// its bytes; where the receiver keeps the mark in the same commit, a bundle
// that was stored is skipped when the load is run again.
package load

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
)

// Outcome is what became of one bundle.
type Outcome struct {
	Resources int          `json:"resources"`
	Refused   []fhir.Issue `json:"refused,omitempty"`
	Skipped   bool         `json:"skipped,omitempty"` // it was stored before
	Failed    string       `json:"failed,omitempty"`  // it may be tried again
}

// Sender stores one transaction bundle. An error ends the load.
type Sender func(ctx context.Context, mark string, bundle []byte) (Outcome, error)

// Refusal is a bundle that was not stored.
type Refusal struct {
	File   string
	Bundle int // counts from 1 in its file
	Issues []fhir.Issue
}

// Report is what a load did.
type Report struct {
	Files, Bundles, Resources, Skipped int
	Refused                            []Refusal
	Took                               time.Duration
}

// Print writes the report. remote says that marks were not kept.
func (r *Report) Print(w io.Writer, remote bool) {
	fmt.Fprintf(w, "files %d, bundles %d, resources %d, bundles skipped as stored before %d, bundles refused %d\n",
		r.Files, r.Bundles, r.Resources, r.Skipped, len(r.Refused))
	for _, ref := range r.Refused {
		for _, issue := range ref.Issues {
			fmt.Fprintf(w, "REFUSED %s, bundle %d: %s: %s %s\n", ref.File, ref.Bundle, issue.Code, issue.Text, issue.Expression)
		}
	}
	if remote {
		fmt.Fprintln(w, "Loaded over HTTP: a server that was cut off may have stored the bundle in flight; run again, at most that one bundle is repeated.")
	}
}

// gather is how many single resources make one bundle.
const gather = 200

// Files loads files and folders, in the order of their names. progress is told
// how many resources were stored. Refusals are in the report; the error says
// why the load ended early, and Files may then be called again.
func Files(ctx context.Context, paths []string, send Sender, progress func(int)) (*Report, error) {
	start := time.Now()
	r := &Report{}
	defer func() { r.Took = time.Since(start) }()
	files, err := expand(paths)
	if err != nil {
		return r, err
	}
	for _, file := range files {
		r.Files++
		if err := r.file(ctx, file, send, progress); err != nil {
			return r, fmt.Errorf("load %s: %w", file, err)
		}
	}
	r.Took = time.Since(start)
	return r, nil
}

// expand walks folders for files whose names say what they are.
func expand(paths []string) ([]string, error) {
	var files []string
	for _, p := range paths {
		err := filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name := strings.TrimSuffix(path, ".gz")
			if path == p || strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".ndjson") {
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("find files: %w", err)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

func (r *Report) file(ctx context.Context, file string, send Sender, progress func(int)) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var in io.Reader = bufio.NewReaderSize(f, 1<<16)
	if strings.HasSuffix(file, ".gz") {
		if in, err = gzip.NewReader(in); err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
	}
	each := r.each(ctx, file, send, progress)
	if strings.HasSuffix(strings.TrimSuffix(file, ".gz"), ".ndjson") {
		return lines(in, each)
	}
	body, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if gjson.GetBytes(body, "resourceType").Str == "Bundle" {
		return each(Transaction(body))
	}
	return each(wrap([][]byte{body}))
}

// each returns what is done with every bundle of a file.
func (r *Report) each(ctx context.Context, file string, send Sender, progress func(int)) func([]byte) error {
	n := 0
	return func(bundle []byte) error {
		n++
		return r.bundle(ctx, file, n, send, progress, bundle)
	}
}

// bundle sends the nth bundle of a file.
func (r *Report) bundle(ctx context.Context, file string, n int, send Sender, progress func(int), bundle []byte) error {
	r.Bundles++
	out, err := attempt(ctx, send, markOf(file, bundle), bundle)
	if err != nil {
		return err
	}
	r.Resources += out.Resources
	if out.Skipped {
		r.Skipped++
	}
	if len(out.Refused) > 0 {
		r.Refused = append(r.Refused, Refusal{File: file, Bundle: n, Issues: out.Refused})
	}
	progress(out.Resources)
	return nil
}

// tries is how often a bundle is sent while the receiver does not answer.
const tries = 5

func attempt(ctx context.Context, send Sender, mark string, bundle []byte) (Outcome, error) {
	for i := 1; ; i++ {
		out, err := send(ctx, mark, bundle)
		if err != nil {
			return out, err
		}
		if out.Failed == "" {
			return out, nil
		}
		if i == tries {
			return out, errors.New(out.Failed)
		}
		select {
		case <-ctx.Done():
			return out, ctx.Err()
		case <-time.After(time.Duration(i) * 200 * time.Millisecond):
		}
	}
}

func markOf(file string, bundle []byte) string {
	h := sha256.New()
	io.WriteString(h, filepath.Base(file))
	h.Write([]byte{0})
	h.Write(bundle)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// lines gathers NDJSON into bundles.
func lines(in io.Reader, each func([]byte) error) error {
	var batch [][]byte
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 1<<20), 64<<20)
	for sc.Scan() {
		line := bytes.TrimSpace(sc.Bytes())
		if len(line) == 0 {
			continue
		}
		if gjson.GetBytes(line, "resourceType").Str == "Bundle" {
			if err := each(Transaction(bytes.Clone(line))); err != nil {
				return err
			}
			continue
		}
		if batch = append(batch, bytes.Clone(line)); len(batch) == gather {
			if err := each(wrap(batch)); err != nil {
				return err
			}
			batch = nil
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if len(batch) > 0 {
		return each(wrap(batch))
	}
	return nil
}

// Transaction returns a bundle as a transaction. A transaction or batch is kept
// as it is; of a collection or searchset the resources are taken.
func Transaction(bundle []byte) []byte {
	if gjson.GetBytes(bundle, "type").Str == "transaction" {
		return bundle
	}
	var resources [][]byte
	gjson.GetBytes(bundle, "entry").ForEach(func(_, e gjson.Result) bool {
		if r := e.Get("resource"); r.IsObject() {
			resources = append(resources, []byte(r.Raw))
		}
		return true
	})
	return wrap(resources)
}

// wrap makes a transaction of resources. One that has an id is known by it to
// the others; the receiver decides whether the id may be kept.
func wrap(resources [][]byte) []byte {
	out := []byte(`{"resourceType":"Bundle","type":"transaction","entry":[`)
	for i, r := range resources {
		if i > 0 {
			out = append(out, ',')
		}
		typ, id := gjson.GetBytes(r, "resourceType").Str, gjson.GetBytes(r, "id").Str
		out = append(out, '{')
		if id != "" {
			out = append(out, `"fullUrl":`+fhir.Quoted(local+typ+"/"+id)+`,`...)
		}
		method, url := "POST", typ
		if strings.Contains(id, ".") { // in the id space of a feed
			method, url = "PUT", typ+"/"+id
		}
		out = append(out, `"resource":`...)
		out = append(out, r...)
		out = append(out, `,"request":{"method":"`+method+`","url":`+fhir.Quoted(url)+`}}`...)
	}
	return append(out, "]}"...)
}

// local is the base under which wrapped resources know each other.
const local = "http://load.invalid/"
