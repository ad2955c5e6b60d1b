package consent

import (
	"context"
	"errors"

	"carerecord/fhir"
	"carerecord/store"
)

// writing returns the View for the target of a change: the scopes must permit the kind of write on it (SMART-286, 288,
// 289), or the search that found it.
func (c *commitBuilder) writing(ch *Change) *View {
	if letter := ch.Kind.permission(); letter != "" {
		return c.view.WithPermission(letter)
	}
	return c.view.WithPermission(string(rune(PermitSearch)))
}

// outsideScope is the answer to a write of a resource that the scopes do not permit. It depends on the written resource and
// on what the writer sees of the current version.
func outsideScope(g *Guard) *fhir.Error {
	e := fhir.Fault(403, "forbidden", "The scopes of the token do not permit to write this resource: it is outside their level or their constraint.")
	e.Issues[0].Detail = fhir.Coding{System: g.publicURL + accessSystemSuffix, Code: ScopeNotGranted}
	return e
}

// checkScope refuses a new version that the scopes do not permit to write, so that nothing is moved into or out of what
// they permit (SMART-284, 286). The version is compared without the elements that are cut for the writer.
func (c *commitBuilder) checkScope(ctx context.Context, ch *Change) error {
	w, ok := c.pending[ch.Ref]
	if !ok || ch.Kind == ChangeFind || ch.Kind == ChangeDelete {
		return nil
	}
	where := c.writing(ch).withinScopes(ch.Ref.Type)
	if where == nil {
		return nil
	}
	d, err := c.view.project(ctx, w.Doc, w.Doc.Keys)
	if errors.Is(err, store.ErrNotFound) {
		d, err = w.Doc, nil
	}
	if err == nil && !store.Match(where, d.Keys) {
		return outsideScope(c.view.guard)
	}
	return err
}

// readable returns a document without its body if the scopes do not permit to read it: the answer to a write is then minimal
// (SMART-285).
func (c *commitBuilder) readable(d store.Doc) store.Doc {
	if where := c.view.WithPermission(string(rune(PermitRead))).withinScopes(d.Ref.Type); where != nil && !store.Match(where, d.Keys) {
		d.Body = nil
	}
	return d
}
