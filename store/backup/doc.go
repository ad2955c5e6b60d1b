// Package backup keeps a copy of a store in a folder.
//
// The folder holds three files: parts.gz, every version of every document and
// the log, as store.Copier exports them; manifest.json, what it is a copy of; and
// SHA256SUMS over both, written last, so that a folder without it is a backup
// that was broken off. sha256sum -c reads it too. The form is of no engine: what
// was taken from one is restored into the other.
//
// The sums show damage. They do not show what somebody changed who can write new
// sums. Bodies lie in the folder as plainly as in the store.
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

// ErrDamaged says that a folder holds no whole backup: a file is missing, cut
// off or changed.
var ErrDamaged = errors.New("the backup is damaged")

// Manifest says what a backup is a copy of.
type Manifest struct {
	Format   int    `json:"format"`
	Software string `json:"software"`
	// Taken is when it was begun: what was acknowledged before is in it.
	Taken     time.Time `json:"taken"`
	PublicURL string    `json:"publicURL"`
	Keying    string    `json:"keying"`
	Versions  int       `json:"versions"`
	Records   uint64    `json:"records"` // of the log
	Head      Head      `json:"head"`    // the last of them
	Bytes     int64     `json:"bytes"`   // of parts.gz
}

// Head is a place in the chain of a log.
type Head struct {
	Pos  uint64 `json:"position"`
	Hash string `json:"hash"` // hexadecimal
}

// HeadOf writes the place of a record.
func HeadOf(r store.Record) Head { return Head{Pos: r.Pos, Hash: hex.EncodeToString(r.Hash[:])} }

func damaged(what string, err error) error { return fmt.Errorf("%w: %s: %w", ErrDamaged, what, err) }
