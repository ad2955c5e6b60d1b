package backup

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"

	"carerecord/store"
)

// Backup is a complete backup in a folder.
type Backup struct {
	Manifest Manifest
	dir      string
	sum      string // of parts.gz
}

// Open reads the whole folder and verifies its checksums. It returns ErrDamaged if they differ.
func Open(dir string) (*Backup, error) {
	sums, err := readSums(dir)
	if err != nil {
		return nil, err
	}
	for name, want := range sums {
		if got, err := sumOf(filepath.Join(dir, name)); err != nil {
			return nil, damaged(name, err)
		} else if got != want {
			return nil, damaged(name, errors.New("its checksum is not that of SHA256SUMS"))
		}
	}
	b := &Backup{dir: dir, sum: sums[partsFile]}
	text, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, damaged(manifestFile, err)
	}
	if err := json.Unmarshal(text, &b.Manifest, json.RejectUnknownMembers(true)); err != nil {
		return nil, damaged(manifestFile, err)
	}
	if b.Manifest.Format != format {
		return nil, fmt.Errorf("the backup has format %d, this program reads %d", b.Manifest.Format, format)
	}
	return b, nil
}

// readSums reads SHA256SUMS: one line for each of the two other files.
func readSums(dir string) (map[string]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, sumsFile))
	if err != nil {
		return nil, damaged(sumsFile, err)
	}
	sums := map[string]string{}
	for line := range bytes.Lines(text) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), "  ")
		if !ok || len(sum) != hex.EncodedLen(sha256.Size) || name != partsFile && name != manifestFile {
			return nil, damaged(sumsFile, fmt.Errorf("line %q", line))
		}
		sums[name] = sum
	}
	if len(sums) != 2 {
		return nil, damaged(sumsFile, fmt.Errorf("it names %d files", len(sums)))
	}
	return sums, nil
}

func sumOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Parts yields the content of the backup, for store.Copier. It ends with ErrDamaged if the files
// have changed since Open.
func (b *Backup) Parts() iter.Seq2[store.CopyItem, error] {
	return func(yield func(store.CopyItem, error) bool) {
		if err := b.readParts(yield); err != nil && !errors.Is(err, errStopped) {
			yield(store.CopyItem{}, damaged(partsFile, err))
		}
	}
}

// errStopped reports that the caller of Parts stopped the iteration.
var errStopped = errors.New("stopped")

func (b *Backup) readParts(yield func(store.CopyItem, error) bool) error {
	f, err := os.Open(filepath.Join(b.dir, partsFile))
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	raw := io.TeeReader(f, sum)
	zip, err := gzip.NewReader(bufio.NewReaderSize(raw, 1<<20))
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(zip, 1<<20)
	versions, records := 0, uint64(0)
	for {
		p, err := readPart(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if p.Record != nil {
			records++
		} else {
			versions++
		}
		if !yield(p, nil) {
			return errStopped
		}
	}
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != b.sum || versions != b.Manifest.Versions || records != b.Manifest.Records {
		return fmt.Errorf("it has %d versions and %d records; the manifest says %d and %d", versions, records, b.Manifest.Versions, b.Manifest.Records)
	}
	return nil
}

// readPart reads one frame. It returns io.EOF after the last.
func readPart(in *bufio.Reader) (store.CopyItem, error) {
	length, err := binary.ReadUvarint(in)
	if err != nil {
		return store.CopyItem{}, err
	}
	if length > maxFrame {
		return store.CopyItem{}, errFrame
	}
	frame := make([]byte, length)
	if _, err := io.ReadFull(in, frame); err != nil {
		return store.CopyItem{}, fmt.Errorf("%w: %w", errFrame, io.ErrUnexpectedEOF)
	}
	return parsePart(frame)
}
