package consent

import (
	"context"
	"errors"
	"fmt"

	"carerecord/fhir"
	"carerecord/fhir/edit"
	"carerecord/store"
)

// checkReferences refuses a version with a reference to a local resource that the writer cannot see. The
// text is the same for absent, deleted and hidden ones (REST-096, CON-1305). Resources of the same
// batch count as visible.
func (c *commitBuilder) checkReferences(ctx context.Context, w *store.Write) error {
	if !c.view.guard.integrity || w.Doc.Deleted() {
		return nil
	}
	var issues []fhir.Issue
	var failed error
	known := map[store.Ref]bool{}
	edit.Links(w.Doc.Body, func(link edit.Link) string {
		ref, local := fhir.ParseRef(c.view.guard.publicURL+"/fhir", link.Value)
		if !link.Reference || !local || failed != nil {
			return link.Value
		}
		target := store.Ref{Type: ref.Type, ID: ref.ID}
		there, criteria := known[target]
		if !criteria {
			there, failed = c.existsForWriter(ctx, target)
			known[target] = there
		}
		if !there {
			issues = append(issues, fhir.Issue{Code: "business-rule", Expression: link.FHIRPath(), Text: "The reference names no resource of this server."})
		}
		return link.Value
	})
	if failed != nil {
		return fmt.Errorf("look up a reference: %w", failed)
	}
	if len(issues) > 0 {
		return &fhir.Error{Status: 422, Issues: issues[:min(len(issues), fhir.MaxIssues)]}
	}
	return nil
}

// existsForWriter reports whether the writer sees a live resource after the batch.
func (c *commitBuilder) existsForWriter(ctx context.Context, ref store.Ref) (bool, error) {
	if w, ok := c.pending[ref]; ok {
		return !w.Doc.Deleted(), nil
	}
	d, err := c.view.WithPermission(permissionOrder).Get(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && !d.Deleted(), err
}
