package backup

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"carerecord/store"
)

// Write copies a store, which may be written to at the same time, into a folder. It creates the
// folder, or refuses one that is not empty. The caller sets the origin of the copy in m; Write
// sets the other fields. After an error the folder is not a backup.
func Write(ctx context.Context, dir string, m Manifest, from store.Copier) (Manifest, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return m, fmt.Errorf("make the folder of a backup: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return m, fmt.Errorf("read the folder of a backup: %w", err)
	}
	if len(entries) > 0 {
		return m, fmt.Errorf("%s is not empty: a backup needs a folder of its own", dir)
	}
	m.Format = format
	parts, err := createFile(dir, partsFile)
	if err != nil {
		return m, err
	}
	if err := errors.Join(m.writeParts(ctx, parts, from), parts.close()); err != nil {
		return m, fmt.Errorf("write %s: %w", partsFile, err)
	}
	m.Bytes = parts.n
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, err
	}
	manifest, err := writeFile(dir, manifestFile, append(text, '\n'))
	if err != nil {
		return m, err
	}
	sums := fmt.Sprintf("%x  %s\n%x  %s\n", manifest.sum.Sum(nil), manifestFile, parts.sum.Sum(nil), partsFile)
	if _, err := writeFile(dir, sumsFile, []byte(sums)); err != nil {
		return m, err
	}
	return m, syncFolder(dir)
}

// writeParts writes the exported parts, compressed, each frame after its length.
func (m *Manifest) writeParts(ctx context.Context, out io.Writer, from store.Copier) error {
	buffered := bufio.NewWriterSize(out, 1<<20)
	zip, err := gzip.NewWriterLevel(buffered, gzip.BestSpeed)
	if err != nil {
		return err
	}
	var frame, length []byte
	var head store.Record
	for p, err := range from.Export(ctx) {
		if err != nil {
			return err
		}
		if p.Record != nil {
			m.Records++
			head = *p.Record
		} else {
			m.Versions++
		}
		frame = appendPart(frame[:0], p)
		length = binary.AppendUvarint(length[:0], uint64(len(frame)))
		if _, err := zip.Write(length); err != nil {
			return err
		}
		if _, err := zip.Write(frame); err != nil {
			return err
		}
	}
	m.Head = headOf(head)
	return errors.Join(zip.Close(), buffered.Flush())
}

// outputFile is a file that is being written, with its checksum.
type outputFile struct {
	f   *os.File
	sum hash.Hash
	n   int64
}

func createFile(dir, name string) (*outputFile, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write a backup: %w", err)
	}
	return &outputFile{f: f, sum: sha256.New()}, nil
}

// Write implements io.Writer.
func (f *outputFile) Write(b []byte) (int, error) {
	n, err := f.f.Write(b)
	f.sum.Write(b[:n])
	f.n += int64(n)
	return n, err
}

func (f *outputFile) close() error { return errors.Join(f.f.Sync(), f.f.Close()) }

// writeFile writes a small file and syncs it.
func writeFile(dir, name string, text []byte) (*outputFile, error) {
	f, err := createFile(dir, name)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.close()); err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return f, nil
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
