package consent

import (
	"bytes"
	"fmt"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/edit"
	"carerecord/store"
)

// applyKind makes the body of the new version. It returns false where nothing must be written.
func (v *View) applyKind(ch *Change, w *store.Write, t *target) (bool, error) {
	switch ch.Kind {
	case ChangeFind:
		return false, nil
	case ChangeCreate:
		w.Doc.Origin = store.Created
		return true, nil
	case ChangeUpdate:
		return v.update(ch, w, t)
	case ChangePatch:
		return v.patch(ch, w, t)
	case ChangeDelete:
		return v.delete(ch, w, t)
	}
	return false, fmt.Errorf("consent: unknown kind of write %d", ch.Kind)
}

// foreignToSource reports whether an id is neither of the source system's rows nor in its id space.
func (v *View) foreignToSource(ch *Change, t *target) bool {
	p := v.grant.principal
	return p.Kind == SourceSystem && !t.visible && (t.exists || !inIDSpace(p.IDPrefix, ch.Ref.ID))
}

func (v *View) update(ch *Change, w *store.Write, t *target) (bool, error) {
	kind := v.grant.principal.Kind
	switch {
	case v.foreignToSource(ch, t):
		return false, foreignID()
	case kind != SourceSystem && kind != System && !t.visible:
		return false, noUpsert()
	case ch.OnlyNew && t.live():
		return false, fhir.Fault(412, "duplicate", "The resource exists, and If-None-Match: * requires that it does not.")
	}
	if err := ifMatch(ch.IfMatch, t.cur, t.visible); err != nil {
		return false, err
	}
	if !t.live() {
		w.Doc.Origin = store.Upserted
		return true, nil
	}
	w.Doc.Body = v.restoreCut(t, w.Doc.Body)
	return v.nextVersion(ch, w, t), nil
}

// restoreCut returns a written body with the elements that were cut for the writer (CON-1306).
func (v *View) restoreCut(t *target, written []byte) []byte {
	if !v.cutsBodies() || bytes.Equal(t.shown.Body, t.cur.Body) {
		return written
	}
	return edit.Restore(t.cur.Body, t.shown.Body, written)
}

// patch edits the current version as the writer sees it.
func (v *View) patch(ch *Change, w *store.Write, t *target) (bool, error) {
	switch {
	case !t.visible:
		return false, fhir.NotFound()
	case t.cur.Deleted():
		return false, fhir.Fault(410, "deleted", "The resource was deleted.")
	}
	if err := ifMatch(ch.IfMatch, t.cur, true); err != nil {
		return false, err
	}
	var err error
	if w.Doc.Body, err = ch.Edit(t.shown.Body); err != nil {
		return false, err
	}
	w.Doc.Body = v.restoreCut(t, w.Doc.Body)
	return v.nextVersion(ch, w, t), nil
}

// nextVersion makes the body of the next version. It returns false where the body is the current one,
// token by token (REST-144).
func (v *View) nextVersion(ch *Change, w *store.Write, t *target) bool {
	w.Doc.Origin = store.Updated
	if !ch.ExactMeta {
		w.Doc.Body = fhir.MergeMeta(w.Doc.Body, t.cur.Body)
	}
	return !bytes.Equal(fhir.Stamp(w.Doc.Body, t.cur.Ref.ID, t.cur.Version, t.cur.Updated), t.cur.Body)
}

func (v *View) delete(ch *Change, w *store.Write, t *target) (bool, error) {
	if v.foreignToSource(ch, t) {
		return false, foreignID()
	}
	if ch.Ref.Type == "Consent" && v.grant.principal.Kind != System {
		return false, &fhir.Error{Status: 405, Issues: []fhir.Issue{{Code: "not-supported",
			Text: "A directive cannot be deleted. End it by the status inactive or entered-in-error."}},
			Header: map[string]string{"Allow": "GET, HEAD, PUT"}}
	}
	if err := ifMatch(ch.IfMatch, t.cur, t.live()); err != nil {
		return false, err
	}
	w.Doc.Origin, w.Doc.Body = store.Deleted, nil
	return t.live(), nil
}

func inIDSpace(prefix, id string) bool { return prefix != "" && strings.HasPrefix(id, prefix) }

// foreignID is the answer to a source system about an id outside its rows and its id space, whether it
// exists or not (CON-1303).
func foreignID() *fhir.Error {
	return fhir.Fault(403, "forbidden", "A source system writes only resources of its own source, and creates by PUT only within its id prefix.")
}

// noUpsert is the answer to all others about an id that is absent or hidden (VIS-007).
func noUpsert() *fhir.Error {
	return &fhir.Error{Status: 405, Issues: []fhir.Issue{{Code: "not-supported",
		Text: "The server assigns ids: PUT cannot create a resource."}}, Header: map[string]string{"Allow": "GET, HEAD, POST"}}
}

// ifMatch checks If-Match against the current version, if it is visible.
func ifMatch(want []uint64, cur store.Doc, visible bool) error {
	if want == nil {
		return nil
	}
	for _, version := range want {
		if visible && (version == cur.Version || version == 0 && !cur.Deleted()) {
			return nil
		}
	}
	return fhir.Fault(412, "conflict", "The current version is not the one that If-Match names.")
}
