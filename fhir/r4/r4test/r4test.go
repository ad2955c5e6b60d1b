// Package r4test gives tests the files of the npm package hl7.fhir.r4.examples: the
// definitions of FHIR 4.0.1 and its examples.
package r4test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"carerecord/conformance/testfiles"
)

// Package is the path of the package, below the root of the module.
const Package = ".cache/hl7.fhir.r4.examples-4.0.1.tgz"

// File is a file of the package, without the folder that all of them are in.
type File struct {
	Name string
	Size int64 // bytes
	body io.Reader
	tb   testing.TB
}

// Body reads the file, without a byte order mark. It is to be called once, before
// the next file.
func (f File) Body() []byte {
	f.tb.Helper()
	body, err := io.ReadAll(f.body)
	if err != nil {
		f.tb.Fatalf("read %s of the package: %v", f.Name, err)
	}
	return bytes.TrimPrefix(body, []byte("\ufeff"))
}

// Files yields the files of the package.
func Files(tb testing.TB) iter.Seq[File] {
	tb.Helper()
	return Packed(tb, filepath.Join(testfiles.Root(tb), Package))
}

// Packed yields the files of an npm package. It skips the test if the package is missing.
func Packed(tb testing.TB, name string) iter.Seq[File] {
	tb.Helper()
	return func(yield func(File) bool) {
		tb.Helper()
		f, err := os.Open(name)
		if err != nil {
			if rel, err := filepath.Rel(testfiles.Root(tb), name); err == nil {
				name = rel
			}
			testfiles.Skip(tb, filepath.ToSlash(name))
		}
		defer f.Close()
		unzipped, err := gzip.NewReader(f)
		if err != nil {
			tb.Fatal(err)
		}
		for files := tar.NewReader(unzipped); ; {
			h, err := files.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				tb.Fatal(err)
			}
			if !yield(File{Name: filepath.Base(h.Name), Size: h.Size, body: files, tb: tb}) {
				return
			}
		}
	}
}
