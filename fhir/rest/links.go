package rest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/edit"
	"carerecord/store"
)

// referenceRewriter rewrites the references of one transaction.
type referenceRewriter struct {
	server       *Server
	view         *consent.View
	ids          map[string]store.Ref
	changes      []consent.Change
	conditionals map[string]string // conditional references and their targets
	locations    map[string]string // place of each
}

// rewrite replaces every reference to an entry by its final Type/id (REST-226, 228), and notes
// conditional references.
func (l *referenceRewriter) rewrite(st *txEntry) []byte {
	root := restRoot(st)
	return edit.Links(st.resource.Body, func(link edit.Link) string {
		if ref, ok := l.ids[link.Value]; ok {
			return ref.String()
		}
		if root != "" && !strings.Contains(link.Value, ":") {
			if ref, ok := l.ids[root+link.Value]; ok { // REST-227
				return ref.String()
			}
		}
		if link.Reference && conditional(link.Value) {
			if l.conditionals == nil {
				l.conditionals, l.locations = map[string]string{}, map[string]string{}
			}
			l.conditionals[link.Value] = ""
			_, rest, _ := strings.Cut(link.FHIRPath(), ".")
			l.locations[link.Value] = st.location + ".resource." + rest
		}
		return link.Value
	})
}

// restRoot returns the base of an entry's RESTful fullUrl, with its last slash.
func restRoot(st *txEntry) string {
	if !strings.HasPrefix(st.fullURL, "http") {
		return ""
	}
	at := strings.LastIndex(st.fullURL, "/"+st.typ+"/")
	if at < 0 {
		return ""
	}
	return st.fullURL[:at+1]
}

// conditional reports whether a reference is a search, Type?criteria.
func conditional(ref string) bool {
	typ, _, found := strings.Cut(ref, "?")
	return found && typ != "" && !strings.ContainsAny(typ, ":/#")
}

// conditional resolves the conditional references on the state after the writes (REST-232). Each needs
// exactly one match.
func (l *referenceRewriter) conditional(ctx context.Context) error {
	if len(l.conditionals) == 0 {
		return nil
	}
	for _, request := range slices.Sorted(maps.Keys(l.conditionals)) { // of several that fail, always the same one is reported
		ref, err := l.find(ctx, request)
		if err != nil {
			if e, ok := fhir.AsError(err); ok {
				return e.At(l.locations[request])
			}
			return err
		}
		l.conditionals[request] = ref.String()
	}
	for i := range l.changes {
		if l.changes[i].Body == nil {
			continue
		}
		l.changes[i].Body = edit.Links(l.changes[i].Body, func(link edit.Link) string {
			if now := l.conditionals[link.Value]; link.Reference && now != "" {
				return now
			}
			return link.Value
		})
	}
	return nil
}

func (l *referenceRewriter) find(ctx context.Context, request string) (store.Ref, error) {
	typ, criteria, _ := strings.Cut(request, "?")
	if err := l.server.checkType(typ); err != nil {
		return store.Ref{}, err
	}
	if !l.view.Grant().Principal().May(typ, "s") {
		return store.Ref{}, fhir.Fault(403, "forbidden", "The token may not search %s.", typ)
	}
	q, err := l.server.criteria(ctx, l.view.Grant().Principal(), typ, []string{criteria})
	if err != nil {
		return store.Ref{}, err
	}
	found := map[store.Ref]bool{}
	where, refs, err := l.server.matches(ctx, l.view, q, 2, nil)
	if err != nil {
		return store.Ref{}, err
	}
	for _, ref := range refs {
		found[ref] = true
	}
	for i, ch := range l.changes {
		if ch.Ref.Type != typ || ch.Kind == consent.ChangeFind {
			continue
		}
		delete(found, ch.Ref)
		if ch.Kind == consent.ChangeDelete {
			continue
		}
		row, err := l.view.Index().Index(typ, ch.Ref.ID, time.Time{}, ch.Body)
		if err != nil {
			return store.Ref{}, fmt.Errorf("key an entry: %w", err)
		}
		if store.Match(where, row.Keys) {
			found[l.changes[i].Ref] = true
		}
	}
	switch len(found) {
	case 0:
		return store.Ref{}, fhir.Fault(422, "business-rule", "The reference %q has no match.", request)
	case 1:
		for ref := range found {
			return ref, nil
		}
	}
	return store.Ref{}, fhir.Fault(412, "multiple-matches", "The reference %q has more than one match.", request)
}

// noConditionalReferences refuses conditional references outside a transaction (REST-233).
func noConditionalReferences(r fhir.Resource) error {
	if bytes.IndexByte(r.Body, '?') < 0 && !bytes.Contains(r.Body, []byte(`\u`)) {
		return nil // there is no question mark, escaped or not
	}
	var issues []fhir.Issue
	edit.Links(r.Body, func(link edit.Link) string {
		if link.Reference && conditional(link.Value) {
			issues = append(issues, fhir.Issue{Code: "invalid", Expression: link.FHIRPath(),
				Text: "A conditional reference is only allowed in a transaction."})
		}
		return link.Value
	})
	if len(issues) > 0 {
		return &fhir.Error{Status: 400, Issues: issues[:min(len(issues), fhir.MaxIssues)]}
	}
	return nil
}
