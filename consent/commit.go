package consent

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"carerecord/fhir"
	"carerecord/store"
)

// ChangeKind is a kind of write.
type ChangeKind byte

// The kinds of writes.
const (
	ChangeCreate ChangeKind = 1 + iota // a new document under an id that NewID made
	ChangeUpdate                       // the next version, or, by a source system, a new document in its id space
	ChangeDelete                       // a tombstone
	ChangeFind                         // nothing: the match of a conditional create
	ChangePatch                        // the next version, made from the current one
)

// permission is the permission that a kind needs; empty for none.
func (f ChangeKind) permission() string {
	return [...]string{ChangeCreate: "c", ChangeUpdate: "u", ChangeDelete: "d", ChangeFind: "", ChangePatch: "u"}[f]
}

// Change is one requested write.
type Change struct {
	Kind ChangeKind
	Ref  store.Ref
	Body []byte // as fhir.Parse kept it, references final; nil for a delete
	// IfMatch are versions, one of which must be current; nil for no condition. Version 0 means
	// "*", any current version (REST-046).
	IfMatch []uint64
	// OnlyNew refuses to update an existing document (If-None-Match: *).
	OnlyNew bool
	// Edit makes the body of a patch from the current one as the writer sees it. Its errors are
	// *fhir.Error.
	Edit func(body []byte) ([]byte, error)
	// Reads marks an edit whose errors reveal stored values: the document must be readable too (SMART-288).
	Reads bool
	// ExactMeta does not keep tags and labels that the new version lacks (REST-104).
	ExactMeta bool
	// Absent must have no visible match when the change is made: the criteria of a conditional
	// create. nil for none.
	Absent store.Pred
	// Claims are the equalities of Absent.
	Claims []store.Key
	// Location is the position in a bundle, for errors; empty outside.
	Location string
}

// Result is the outcome of a change. Doc is the new version, projected for the writer, or the current one
// where nothing was written.
type Result struct {
	Doc     store.Doc
	Written bool
}

// NewID makes an id: 128 random bits, hexadecimal, without a dot, so it is in no source system's id
// space (CON-1302, CON-1303).
func NewID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}

// Record makes the audit records of a commit from its results. They become durable with the writes or
// before.
type Record func([]Result) ([][]byte, error)

// Commit applies all changes atomically and returns a result for each, in order. store.ErrConflict:
// another commit was faster; read and decide again. A *fhir.Error is for the client; nothing was written.
func (v *View) Commit(ctx context.Context, changes []Change, record Record, marks ...store.StateWrite) ([]Result, error) {
	c := v.newCommitBuilder()
	var end func()
	c.at, end = v.guard.inFlight.begin(v.guard.clock())
	defer end()
	for i := range changes {
		if err := c.stage(ctx, &changes[i]); err != nil {
			return nil, atLocation(err, changes[i].Location)
		}
	}
	v.guard.inFlight.advance(c.at)
	for _, w := range c.pending {
		w.Doc.Updated = c.at // the same for all (REST-223)
	}
	if err := c.keyAll(ctx); err != nil {
		return nil, err
	}
	for i := range changes {
		err := c.checkScope(ctx, &changes[i])
		if err == nil {
			err = c.checkAuthor(ctx, &changes[i])
		}
		if w := c.pending[changes[i].Ref]; err == nil && w != nil {
			err = c.checkReferences(ctx, w)
		}
		if err != nil {
			return nil, atLocation(err, changes[i].Location)
		}
	}
	if err := c.define(changes); err != nil {
		return nil, err
	}
	results, err := c.results(ctx, changes)
	if err != nil {
		return nil, err
	}
	if *v.failed != nil { // the reads are incomplete
		return nil, *v.failed
	}
	if err := c.apply(ctx, results, record, marks); err != nil {
		return results, err
	}
	v.committed = true
	v.guard.catchUpInline(ctx, c)
	return results, nil
}

func atLocation(err error, element string) error {
	if e, ok := fhir.AsError(err); ok && element != "" {
		return e.At(element)
	}
	return err
}
