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

// foreignToSource reports whether an id is neither of the source system's rows nor in its id space. An own row that the
// scopes hide is like an absent one.
func (v *View) foreignToSource(ch *Change, t *target) bool {
	p := v.grant.principal
	return p.Kind == SourceSystem && !t.visible && (t.exists && !t.own || !inIDSpace(p.IDPrefix, ch.Ref.ID))
}

// mayChooseID reports whether a PUT may create a document: of a source system whose scope for updates is not
// constrained on the type (SMART-287).
func (v *View) mayChooseID(typ string) bool {
	kind := v.grant.principal.Kind
	return (kind == System || kind == SourceSystem) && v.WithPermission(string(rune(PermitUpdate))).withinScopes(typ) == nil
}

func (v *View) update(ch *Change, w *store.Write, t *target) (bool, error) {
	switch {
	case !t.visible && !v.mayChooseID(ch.Ref.Type):
		return false, noUpsert()
	case v.foreignToSource(ch, t):
		return false, foreignID()
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
