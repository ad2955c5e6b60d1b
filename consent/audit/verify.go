package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"

	"carerecord/store"
)

// Damage is one place where the chain is broken.
type Damage struct {
	Pos  uint64 `json:"position"`
	Kind string `json:"kind"` // altered, missing, inserted, reordered or unreadable
	Text string `json:"text"`
}

// Report is the result of Verify.
type Report struct {
	Records uint64    `json:"records"`
	First   time.Time `json:"first,omitzero"`
	Last    time.Time `json:"last,omitzero"`
	Breaks  []Damage  `json:"breaks"`
	Chains  []Chain   `json:"chains,omitempty"` // if there are several
}

// OK reports whether the chain is intact.
func (r Report) OK() bool { return len(r.Breaks) == 0 }

// Limits lists the changes that Verify does not detect. Every report includes it (AUD-506).
const Limits = "Not detected: records that are missing at the end of the audit trail, an audit trail that was rewritten as a whole, " +
	"and requests that were never recorded. Signed heads that are kept elsewhere will detect the first two; they are not built yet."

// Print writes the report as text.
func (r Report) Print(w io.Writer) {
	fmt.Fprintf(w, "records checked: %d\n", r.Records)
	if r.Records > 0 {
		fmt.Fprintf(w, "first: %s\nlast:  %s\n", r.First.Format(time.RFC3339Nano), r.Last.Format(time.RFC3339Nano))
	}
	for i, c := range r.Chains {
		if g := c.Genesis; g != nil {
			fmt.Fprintf(w, "chain %d begins at %d: restored from a backup of %s; the last head known of the chain before it is %d %s\n",
				i+1, c.First, g.Backup.Format(time.RFC3339Nano), g.Position, g.Head)
		}
	}
	for _, b := range r.Breaks {
		fmt.Fprintf(w, "BREAK at %d: %s: %s\n", b.Pos, b.Kind, b.Text)
	}
	if r.OK() {
		fmt.Fprintln(w, "the chain holds")
	}
	fmt.Fprintln(w, Limits)
}

// verifier reads a chain with one record of look-ahead.
type verifier struct {
	report       Report
	before, last store.Hash // hashes of the two records before
	next         uint64     // expected position
	shift        int64      // original minus current position of later records
	first        uint64     // position of the first record
	previous     store.Hash // hash of the record before the counted one
}

// Verify reads an audit trail from its first record and reports every place where it was changed. The error
// is that of the log; a broken chain is not an error.
func Verify(ctx context.Context, log store.Log) (Report, error) {
	return VerifyRecords(log.Records(ctx, 1))
}

// VerifyRecords verifies a sequence that begins at position 1.
func VerifyRecords(records iter.Seq2[store.Record, error]) (Report, error) {
	v := &verifier{next: 1, report: Report{Breaks: []Damage{}}}
	pull, stop := iter.Pull2(records)
	defer stop()
	cur, err, ok := pull()
	for ok {
		if err != nil {
			return v.report, fmt.Errorf("read the audit trail: %w", err)
		}
		ahead, aheadErr, more := pull()
		if v.check(cur, ahead, more && aheadErr == nil) && more && aheadErr == nil {
			v.advanceSwapped(cur, ahead)
			cur, err, ok = pull()
			continue
		}
		cur, err, ok = ahead, aheadErr, more
	}
	return v.report, nil
}

// check checks one record. It returns true if it and the next one are swapped.
func (v *verifier) check(cur, ahead store.Record, more bool) (swapped bool) {
	if cur.Pos != v.next {
		v.fault(v.next, "missing", fmt.Sprintf("records %d to %d are missing", v.next, cur.Pos-1))
		// A record after a gap has no predecessor to check its hash against.
		v.advance(cur)
		return false
	}
	follows := more && ahead.Pos == cur.Pos+1
	switch {
	case v.linked(v.last, cur, 0):
	case follows && ahead.Hash == store.ChainHash(v.last, v.writtenPosition(cur, 0), ahead.Payload):
		v.fault(cur.Pos, "reordered", fmt.Sprintf("records %d and %d are swapped", cur.Pos, ahead.Pos))
		return true
	case cur.Pos > 1 && v.linked(v.before, cur, -1):
		v.fault(cur.Pos-1, "inserted", "the server did not write the record: the next record is linked to the one before it")
		v.shift--
	default:
		if missing := v.missingBefore(cur, ahead, follows); missing > 0 {
			v.fault(cur.Pos, "missing", fmt.Sprintf("%d records are missing, and the later ones were renumbered", missing))
			v.shift += missing
		} else {
			v.fault(cur.Pos, "altered", "the record is not the one that the server wrote")
		}
	}
	v.advance(cur)
	return false
}

// writtenPosition is the position that a record was written at, if by more records are missing before it
// than are known.
func (v *verifier) writtenPosition(r store.Record, by int64) uint64 {
	return uint64(int64(r.Pos) + v.shift + by)
}

func (v *verifier) linked(last store.Hash, r store.Record, by int64) bool {
	return r.Hash == store.ChainHash(last, v.writtenPosition(r, by), r.Payload)
}

// missingBefore returns how many records before cur were removed and later ones renumbered: then the next
// record still follows cur, at a later position.
func (v *verifier) missingBefore(cur, ahead store.Record, follows bool) int64 {
	for by := int64(1); follows && by <= maxMissing; by++ {
		if v.linked(cur.Hash, ahead, by) {
			return by
		}
	}
	return 0
}

// maxMissing is how many missing, renumbered records are distinguished from an altered one.
const maxMissing = 1000

// advance continues after a record.
func (v *verifier) advance(r store.Record) {
	v.before, v.last, v.next = v.last, r.Hash, r.Pos+1
	v.count(r)
}

// advanceSwapped continues after two swapped records, in the order in which they were written.
func (v *verifier) advanceSwapped(later, earlier store.Record) {
	v.before, v.last, v.next = earlier.Hash, later.Hash, earlier.Pos+1
	v.count(later)
	v.count(earlier)
}

// count adds a record to the report.
func (v *verifier) count(cur store.Record) {
	v.report.Records++
	if v.first == 0 {
		v.first = cur.Pos
	}
	defer func() { v.previous = cur.Hash }()
	var r Record
	if err := json.Unmarshal(cur.Payload, &r); err != nil {
		v.fault(cur.Pos, "unreadable", "the record cannot be decoded")
		return
	}
	if v.report.First.IsZero() {
		v.report.First = r.Recorded
	}
	v.report.Last = r.Recorded
	if r.Genesis != nil {
		v.beginChain(cur, r.Genesis)
	}
}

func (v *verifier) fault(pos uint64, kind, text string) {
	v.report.Breaks = append(v.report.Breaks, Damage{Pos: pos, Kind: kind, Text: text})
}
