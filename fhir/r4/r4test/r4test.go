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
)

// Package is where the package lies, below the root of the module.
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
	return Packed(tb, filepath.Join(root(tb), Package))
}

// Packed yields the files of an npm package. Where it is not there the test is
// skipped, and says so.
func Packed(tb testing.TB, name string) iter.Seq[File] {
	tb.Helper()
	return func(yield func(File) bool) {
		tb.Helper()
		f, err := os.Open(name)
		if err != nil {
			tb.Skipf("skipped: %v (make generate fetches the examples of the standard)", err)
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

// root is the folder of go.mod, above the one that the test runs in.
func root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			tb.Fatal("the test runs outside of the module")
		}
		dir = filepath.Dir(dir)
	}
}
