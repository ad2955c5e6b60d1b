package reindex

import (
	"slices"
	"time"
)

// Progress is the progress of a walk as an operator may know it. It has no number of documents:
// the number of rekeyed documents reveals how many an expression matches, and an operator reads
// nothing about people (CON-206).
type Progress struct {
	Format  KeyFormat `json:"keying"`
	Began   time.Time `json:"began"`   // the first time
	Resumed int       `json:"resumed"` // how often it resumed after an interruption
	Phase   string    `json:"phase"`   // one of the phases below
	Share   float64   `json:"share"`   // from 0 to 1
}

// The phases of a walk.
const (
	PhaseFirst = "round 0"      // every document of the types
	PhaseLater = "later rounds" // the types that inherit owners, again
	PhaseMarks = "marking"      // rows that refer to labelled rows
	PhaseDone  = "done"
)

// The share of a walk over all documents that is done after the first round, and before the
// round that renews marks.
const (
	shareFirst = 0.9
	shareMarks = 0.95
)

// Progress returns the progress of the walk by types and, within a type, by partitions: these
// are hashes, so documents are spread evenly over them.
func (w Walk) Progress() Progress {
	p := Progress{Format: w.Format, Began: w.Began, Resumed: w.Resumed}
	types := w.Types
	switch {
	case types == nil && w.Marking:
		types = typeOrder(0)
	case types == nil:
		types = typeOrder(w.Round)
	}
	done := float64(max(0, slices.Index(types, w.Type)))
	if w.After != nil {
		done += float64(w.After.Partition) / (1 << 48)
	}
	part := min(1, done/float64(max(1, len(types))))
	switch {
	case w.Done:
		p.Phase, p.Share = PhaseDone, 1
	case w.Types != nil:
		p.Phase, p.Share = PhaseFirst, part
	case w.Marking:
		p.Phase, p.Share = PhaseMarks, shareMarks+(1-shareMarks)*part
	case w.Round == 0:
		p.Phase, p.Share = PhaseFirst, shareFirst*part
	default:
		p.Phase, p.Share = PhaseLater, shareFirst+(shareMarks-shareFirst)*(float64(w.Round-1)+part)/maxRounds
	}
	p.Share = float64(int(p.Share*100)) / 100
	return p
}
