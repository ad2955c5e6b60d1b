// Package load reads FHIR from files and passes it to a Sender as transaction bundles, one at a
// time in bounded memory. Bundles are sent as they are; single resources and NDJSON are collected
// into bundles. Files may be gzipped.
//
// A load can be resumed. Every bundle has a mark, a hash of its file's name and its bytes. A
// receiver that stores the mark and the source in the same commit skips the bundle when the load
// is run again.
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

// Outcome is the result of sending one bundle.
type Outcome struct {
	Resources int          `json:"resources"`
	Refused   []fhir.Issue `json:"refused,omitempty"`
	Skipped   bool         `json:"skipped,omitempty"` // stored by an earlier run
	Failed    string       `json:"failed,omitempty"`  // the bundle may be sent again
}

// Sender stores one transaction bundle. A mark is a hash that identifies the bundle in repeated
// loads. An error ends the load.
type Sender func(ctx context.Context, mark string, bundle []byte) (Outcome, error)

// Refusal is a bundle that the receiver refused.
type Refusal struct {
	File   string
	Bundle int // counts from 1 in its file
	Issues []fhir.Issue
}

// Report is the result of a load.
type Report struct {
	Files, Bundles, Resources, Skipped int
	Refused                            []Refusal
	Took                               time.Duration
}

// Print writes the report. noMarks reports that the receiver stored no marks.
func (r *Report) Print(w io.Writer, noMarks bool) {
	fmt.Fprintf(w, "files %d, bundles %d, resources %d, bundles skipped as stored before %d, bundles refused %d\n",
		r.Files, r.Bundles, r.Resources, r.Skipped, len(r.Refused))
	for _, refusal := range r.Refused {
		for _, issue := range refusal.Issues {
			fmt.Fprintf(w, "REFUSED %s, bundle %d: %s: %s %s\n", refusal.File, refusal.Bundle, issue.Code, issue.Text, issue.Expression)
		}
	}
	if noMarks {
		fmt.Fprintln(w, "Loaded over HTTP: the server keeps no marks, so running the load again sends every bundle again.")
	}
}

// bundleSize is how many single resources are collected into one bundle.
const bundleSize = 200

// Files loads files and folders, in the order of their names. Files that are named as those of Patients
// in a bulk export (Patient.ndjson, Patient.000.ndjson) come first, so that the resources of other files
// find their Patients. It calls progress with the number
// of resources that were stored. Refusals are in the report. After an error, which ends the load
// early, Files may be called again.
func Files(ctx context.Context, paths []string, send Sender, progress func(int)) (*Report, error) {
	start := time.Now()
	r := &Report{}
	defer func() { r.Took = time.Since(start) }()
	files, err := findFiles(paths)
	if err != nil {
		return r, err
	}
	for _, file := range files {
		r.Files++
		if err := r.loadFile(ctx, file, send, progress); err != nil {
			return r, fmt.Errorf("load %s: %w", file, err)
		}
	}
	r.Took = time.Since(start)
	return r, nil
}

// findFiles returns the paths that are files, and the .json and .ndjson files below folders.
func findFiles(paths []string) ([]string, error) {
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
	slices.SortFunc(files, func(a, b string) int {
		if pa, pb := ofPatients(a), ofPatients(b); pa != pb {
			if pa {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(files), nil
}

// ofPatients reports whether a file is named as the Patients of a bulk export.
func ofPatients(file string) bool {
	typ, _, _ := strings.Cut(filepath.Base(file), ".")
	return typ == "Patient"
}

func (r *Report) loadFile(ctx context.Context, file string, send Sender, progress func(int)) error {
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
	each := r.eachBundle(ctx, file, send, progress)
	if strings.HasSuffix(strings.TrimSuffix(file, ".gz"), ".ndjson") {
		return readLines(in, each)
	}
	body, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if gjson.GetBytes(body, "resourceType").Str == "Bundle" {
		return each(Transaction(body))
	}
	return each(transactionOf([][]byte{body}))
}

// eachBundle returns a function that loads the next bundle of a file.
func (r *Report) eachBundle(ctx context.Context, file string, send Sender, progress func(int)) func([]byte) error {
	n := 0
	return func(bundle []byte) error {
		n++
		return r.loadBundle(ctx, file, n, send, progress, bundle)
	}
}

// loadBundle sends the nth bundle of a file.
func (r *Report) loadBundle(ctx context.Context, file string, n int, send Sender, progress func(int), bundle []byte) error {
	r.Bundles++
	out, err := sendWithRetry(ctx, send, markOf(file, bundle), bundle)
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

// maxAttempts is how often a bundle is sent while its Outcome is Failed.
const maxAttempts = 5

func sendWithRetry(ctx context.Context, send Sender, mark string, bundle []byte) (Outcome, error) {
	for i := 1; ; i++ {
		out, err := send(ctx, mark, bundle)
		if err != nil {
			return out, err
		}
		if out.Failed == "" {
			return out, nil
		}
		if i == maxAttempts {
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

// readLines collects NDJSON into bundles.
func readLines(in io.Reader, each func([]byte) error) error {
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
		if batch = append(batch, bytes.Clone(line)); len(batch) == bundleSize {
			if err := each(transactionOf(batch)); err != nil {
				return err
			}
			batch = nil
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if len(batch) > 0 {
		return each(transactionOf(batch))
	}
	return nil
}

// Transaction returns a transaction as it is, and any other bundle as a transaction of its
// resources.
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
	return transactionOf(resources)
}

// transactionOf returns a transaction of resources. A resource with an id has a fullUrl with it,
// so that the others can refer to it; the receiver decides whether it keeps the id.
func transactionOf(resources [][]byte) []byte {
	out := []byte(`{"resourceType":"Bundle","type":"transaction","entry":[`)
	for i, r := range resources {
		if i > 0 {
			out = append(out, ',')
		}
		typ, id := gjson.GetBytes(r, "resourceType").Str, gjson.GetBytes(r, "id").Str
		out = append(out, '{')
		if id != "" {
			out = append(out, `"fullUrl":`+fhir.Quoted(localBase+typ+"/"+id)+`,`...)
		}
		method, url := "POST", typ
		if strings.Contains(id, ".") { // an id of a source system: it begins with the system's prefix
			method, url = "PUT", typ+"/"+id
		}
		out = append(out, `"resource":`...)
		out = append(out, r...)
		out = append(out, `,"request":{"method":"`+method+`","url":`+fhir.Quoted(url)+`}}`...)
	}
	return append(out, "]}"...)
}

// localBase is the base of the fullUrls that transactionOf makes.
const localBase = "http://load.invalid/"
