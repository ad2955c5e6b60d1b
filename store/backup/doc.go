// Package backup stores a copy of a store in a folder.
//
// The folder has three files. parts.gz has every version of every document and the log, as
// store.Copier exports them. manifest.json describes the copy. SHA256SUMS has the checksums of
// both, for sha256sum -c as well; it is written last, so a folder without it is an interrupted
// backup. The format does not depend on the engine: a backup of one can be restored into another.
//
// The checksums reveal damage. They do not reveal changes by somebody who can write new
// checksums. Bodies are not encrypted.
package backup

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"carerecord/store"
)

// The files of a backup.
const (
	partsFile    = "parts.gz"
	manifestFile = "manifest.json"
	sumsFile     = "SHA256SUMS"
)

// format is the number of the layout that this package writes.
const format = 1

// ErrDamaged reports that a folder has no complete backup: a file is missing, truncated or changed.
var ErrDamaged = errors.New("the backup is damaged")

// Manifest describes a backup.
type Manifest struct {
	Format   int    `json:"format"`
	Software string `json:"software"`
	// Taken is when the backup began. It has everything that was acknowledged before.
	Taken     time.Time `json:"taken"`
	PublicURL string    `json:"publicURL"`
	Keying    string    `json:"keying"` // the key format of the store; for information
	Versions  int       `json:"versions"`
	Records   uint64    `json:"records"` // of the log
	Head      Head      `json:"head"`    // the last record
	Bytes     int64     `json:"bytes"`   // of parts.gz
}

// Head is a position in the chain of a log.
type Head struct {
	Pos  uint64 `json:"position"`
	Hash string `json:"hash"` // hexadecimal
}

// headOf returns the position of a record.
func headOf(r store.Record) Head { return Head{Pos: r.Pos, Hash: hex.EncodeToString(r.Hash[:])} }

func damaged(file string, err error) error { return fmt.Errorf("%w: %s: %w", ErrDamaged, file, err) }
