package consent

import (
	"context"
	"slices"

	"carerecord/consent/backlog"
	"carerecord/consent/definitions"
	"carerecord/consent/facts"
	"carerecord/consent/policy"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Page is a page of the live documents of a type, in the order of the store.
type Page struct {
	Type  string
	After *store.RowID // the last document of the page before; nil for the first page
	Size  int          // documents at most
}

// RekeyRequest is a page of documents to rekey.
type RekeyRequest struct {
	Page
	// MarksOnly keeps the keys and only renews the mark of documents that refer to labelled
	// rows (index.FactRefersToLabelled).
	MarksOnly bool
	// MarkLater adds an entry to the backlog for each person of whom other rows are labelled
	// than before. Without it the caller renews the marks of all documents later.
	MarkLater bool
}

// RekeyResult is the outcome of a page.
type RekeyResult struct {
	Read       int
	Rekeyed    int          // documents whose keys or row ID change
	Last       *store.RowID // the last document; After of the request where there is none
	Relabelled bool         // other rows of a person are labelled than before
}

// RekeyCommit is what is committed with a page.
type RekeyCommit struct {
	State    []store.StateWrite
	Complete []uint16 // numbers of search parameters that are complete with the page
	Skip     bool     // nothing is committed
}

// RekeyPage rekeys a page of documents in one commit. finish receives the outcome before the
// commit and returns what is committed with it. Documents that the backlog lists keep their
// keys where others inherit from these keys.
//
// store.ErrConflict: another commit was faster; try again with fewer documents.
// definitions.ErrTableChanged: the search parameters changed; try again.
func (g *Guard) RekeyPage(ctx context.Context, req RekeyRequest, finish func(RekeyResult) (RekeyCommit, error)) error {
	defer g.reads.begin()()
	prepared := &preparedCommit{definitions: g.index.Installed(), epoch: g.backlog.Epoch()}
	var result RekeyResult
	err := g.store.Read(ctx, func(snap store.Snapshot) (err error) {
		result, err = g.rekey(ctx, snap, req, prepared)
		return err
	})
	if err != nil {
		return err
	}
	end, err := finish(result)
	if err != nil || end.Skip {
		return err
	}
	prepared.State, prepared.completedParameters = append(prepared.State, end.State...), end.Complete
	return g.commitPrepared(ctx, prepared)
}

// rekey reads a page and prepares the writes of the documents whose stored keys are not those
// of a rebuild.
func (g *Guard) rekey(ctx context.Context, snap store.Snapshot, req RekeyRequest, prepared *preparedCommit) (RekeyResult, error) {
	out := RekeyResult{Last: req.After}
	reader := g.keyer.TrackedReader(snap)
	replaced := map[store.Ref]store.Doc{}
	stale := g.backlog.Stale().Where()
	prepared.Batch, prepared.dependsOn, prepared.reliesOn = store.Batch{}, nil, nil // a store may call Read's function again
	rows := g.keyer.LabelledRows(snap, nil)
	prepared.replaced = func(ref store.Ref) store.Doc { return replaced[ref] }
	for d, err := range snap.Scan(ctx, store.Query{Type: req.Type, Where: everything, After: req.After}) {
		if err != nil {
			return out, err
		}
		out.Read++
		last := d.RowID
		out.Last = &last
		made := facts.Keyed{Keys: d.Keys, RowID: d.RowID}
		if !req.MarksOnly {
			row, err := g.keyer.Extract(d)
			if err != nil {
				return out, err
			}
			if made, err = g.keyer.Describe(ctx, reader, d, row); err != nil {
				return out, err
			}
		}
		if made.Keys, err = rows.Mark(ctx, made.Keys, made.RowID.Partition, d.Body); err != nil {
			return out, err
		}
		switch {
		case d.RowID == made.RowID && slices.Equal(d.Keys, made.Keys):
		case store.Match(stale, d.Keys) && !facts.SameInheritance(d.Keys, made.Keys):
			// The backlog rekeys the document and then its dependents. If the document were
			// rekeyed here, the backlog would find it unchanged and leave out its dependents.
		default:
			replaced[d.Ref] = d
			for _, name := range personsRelabelled(d, store.Doc{Version: d.Version, Keys: made.Keys}) {
				if out.Relabelled = true; req.MarkLater {
					prepared.addStale(backlog.LabelsPrefix+name, backlog.Entry{})
				}
			}
			d.RowID, d.Keys = made.RowID, made.Keys
			prepared.Writes = append(prepared.Writes, store.Write{Doc: d, Expect: d.Version, KeyRevision: d.KeyRevision, Rekey: true})
			prepared.dependsOn = append(prepared.dependsOn, index.Names(made.Keys, index.DependsOnPrefix())...)
			prepared.reliesOn = append(prepared.reliesOn, g.keyer.ReliesOn(d)...)
		}
		if out.Read == req.Size {
			break
		}
	}
	if out.Rekeyed = len(prepared.Writes); out.Rekeyed > 0 {
		reader.AddConditions(&prepared.Batch)
	}
	return out, nil
}

// RebuildPage reads a page of documents and calls f for each with the keys that a rebuild gives
// it, or with the error of the rebuild. It leaves out documents that the backlog lists. It
// returns how many documents it read, and the last one.
func (g *Guard) RebuildPage(ctx context.Context, page Page, f func(stored store.Doc, rebuilt facts.Keyed, err error)) (n int, last *store.RowID, err error) {
	err = g.store.Read(ctx, func(snap store.Snapshot) error {
		n, last = 0, page.After
		stale := anyOf(g.backlog.Stale().Where(), g.backlog.Stale().WhereUnmarked())
		rows := g.keyer.LabelledRows(snap, nil)
		for d, err := range snap.Scan(ctx, store.Query{Type: page.Type, Where: everything, After: page.After}) {
			if err != nil {
				return err
			}
			n++
			last = &d.RowID
			if !store.Match(stale, d.Keys) {
				made, err := g.rebuild(ctx, snap, rows, d)
				f(d, made, err)
			}
			if n == page.Size {
				break
			}
		}
		return nil
	})
	return n, last, err
}

// PatientPage reads a page of the Patients that match a predicate and calls f for each, with its person key, the surviving one
// of several, and a function that explains it. It returns how many Patients it read, and the last one. It is for the operator: no
// decision hides a Patient.
func (g *Guard) PatientPage(ctx context.Context, page Page, where store.Pred, f func(d store.Doc, person string, explain func() (facts.PersonState, error)) error) (n int, last *store.RowID, err error) {
	err = g.store.Read(ctx, func(snap store.Snapshot) error {
		n, last = 0, page.After
		for d, err := range snap.Scan(ctx, store.Query{Type: "Patient", Where: where, After: page.After}) {
			if err != nil {
				return err
			}
			n++
			last = &d.RowID
			group, err := g.groupOf(ctx, snap, personKey(d))
			if err != nil {
				return err
			}
			if err := f(d, group[0], func() (facts.PersonState, error) { return g.keyer.StateOf(ctx, g.keyer.Snapshot(snap), d) }); err != nil {
				return err
			}
			if n == page.Size {
				break
			}
		}
		return nil
	})
	return n, last, err
}

// MaySpread reports whether the Patients of a person may be in several partitions (IDN-134).
func (g *Guard) MaySpread(person string) bool { return g.aliases.Has(person) }

func (g *Guard) rebuild(ctx context.Context, snap store.Snapshot, rows *facts.LabelledRows, d store.Doc) (facts.Keyed, error) {
	row, err := g.keyer.Extract(d)
	if err != nil {
		return facts.Keyed{}, err
	}
	made, err := g.keyer.Describe(ctx, g.keyer.Snapshot(snap), d, row)
	if err == nil {
		made.Keys, err = rows.Mark(ctx, made.Keys, made.RowID.Partition, d.Body)
	}
	return made, err
}

// StoredTypes returns the resource types of which the store has, or once had, documents, sorted.
func (g *Guard) StoredTypes() []string { return g.catalog.storedTypes() }

// Identity returns the identity policy; nil for none.
func (g *Guard) Identity() *policy.Identity { return g.keyer.Identity }

// Index returns the indexer of the keys.
func (g *Guard) Index() *index.Indexer { return g.index }

// Parameters returns the search parameters that stored definitions bring.
func (g *Guard) Parameters() []definitions.Parameter { return g.definitions.Parameters() }

// ParameterWork has an element when a search parameter may have to be indexed.
func (g *Guard) ParameterWork() <-chan struct{} { return g.definitions.Work() }

// CheckDefinition returns why a body cannot be stored under an address as the definition of a
// search parameter, a *fhir.Error, or nil. It returns nil for every other type.
func (g *Guard) CheckDefinition(ref store.Ref, body []byte) error {
	return g.definitions.Check(ref, body)
}
