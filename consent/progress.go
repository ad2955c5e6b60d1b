package consent

import (
	"slices"
	"time"
)

// Progress is what an operator learns of a walk: how far it is. It has no number of
// documents: how many of them stood under other keys says how many an expression finds,
// and an operator reads nothing about people (CON-206).
type Progress struct {
	Format  KeyFormat `json:"keying"`  // by which rules documents are keyed
	Began   time.Time `json:"began"`   // the first time
	Resumed int       `json:"resumed"` // how often it went on after an interruption
	Phase   string    `json:"phase"`   // one of the phases below
	Share   float64   `json:"share"`   // from 0 to 1
}

// The phases of a walk.
const (
	PhaseFirst = "round 0"      // every document of the types
	PhaseLater = "later rounds" // those that inherit their owners, again
	PhaseMarks = "marking"      // of rows that refer to labelled ones
	PhaseDone  = "done"
)

// shareFirst is which share of a walk over all documents the first round is.
const shareFirst = 0.9

// shareMarks is where the last round begins, if there is one.
const shareMarks = 0.95

// Progress returns how far the walk is, by types and, within a type, by places. Places are
// hashes, so that they are passed evenly.
func (r Walk) Progress() Progress {
	p := Progress{Format: r.Format, Began: r.Began, Resumed: r.Resumed}
	types := r.Types
	switch {
	case types == nil && r.Marking:
		types = typeOrder(0)
	case types == nil:
		types = typeOrder(r.Round)
	}
	done := float64(max(0, slices.Index(types, r.Type)))
	if r.After != nil {
		done += float64(r.After.Partition) / (1 << 48)
	}
	part := min(1, done/float64(max(1, len(types))))
	switch {
	case r.Done:
		p.Phase, p.Share = PhaseDone, 1
	case r.Types != nil:
		p.Phase, p.Share = PhaseFirst, part
	case r.Marking:
		p.Phase, p.Share = PhaseMarks, shareMarks+(1-shareMarks)*part
	case r.Round == 0:
		p.Phase, p.Share = PhaseFirst, shareFirst*part
	default:
		p.Phase, p.Share = PhaseLater, shareFirst+(shareMarks-shareFirst)*(float64(r.Round-1)+part)/reindexRounds
	}
	p.Share = float64(int(p.Share*100)) / 100
	return p
}
