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

// linker rewrites the references of one transaction.
type linker struct {
	server  *Server
	view    *consent.View
	ids     map[string]store.Ref
	changes []consent.Change
	asks    map[string]string // conditional references and what they became
	where   map[string]string // place of each
}

// rewrite puts the final Type/id in the place of every link to an entry
// (REST-226, 228), and notes conditional references.
func (l *linker) rewrite(st *step) []byte {
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
			if l.asks == nil {
				l.asks, l.where = map[string]string{}, map[string]string{}
			}
			l.asks[link.Value] = ""
			_, rest, _ := strings.Cut(link.FHIRPath(), ".")
			l.where[link.Value] = st.location + ".resource." + rest
		}
		return link.Value
	})
}

// restRoot is the base of an entry's RESTful fullUrl, with its last slash.
func restRoot(st *step) string {
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

// conditional resolves the conditional references, on the state after the
// writes (REST-232): exactly one match is needed.
func (l *linker) conditional(ctx context.Context) error {
	if len(l.asks) == 0 {
		return nil
	}
	for _, ask := range slices.Sorted(maps.Keys(l.asks)) { // of several that fail, always the same is told
		ref, err := l.find(ctx, ask)
		if err != nil {
			if e, ok := fhir.AsError(err); ok {
				return e.At(l.where[ask])
			}
			return err
		}
		l.asks[ask] = ref.String()
	}
	for i := range l.changes {
		if l.changes[i].Body == nil {
			continue
		}
		l.changes[i].Body = edit.Links(l.changes[i].Body, func(link edit.Link) string {
			if now := l.asks[link.Value]; link.Reference && now != "" {
				return now
			}
			return link.Value
		})
	}
	return nil
}

func (l *linker) find(ctx context.Context, ask string) (store.Ref, error) {
	typ, criteria, _ := strings.Cut(ask, "?")
	if err := l.server.served(typ); err != nil {
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
		return store.Ref{}, fhir.Fault(422, "business-rule", "The reference %q has no match.", ask)
	case 1:
		for ref := range found {
			return ref, nil
		}
	}
	return store.Ref{}, fhir.Fault(412, "multiple-matches", "The reference %q has more than one match.", ask)
}

// noConditionalReferences refuses them outside a transaction (REST-233).
func noConditionalReferences(r fhir.Resource) error {
	if bytes.IndexByte(r.Body, '?') < 0 && !bytes.Contains(r.Body, []byte(`\u`)) {
		return nil // there is no question mark, escaped or not
	}
	var issues []fhir.Issue
	edit.Links(r.Body, func(link edit.Link) string {
		if link.Reference && conditional(link.Value) {
			issues = append(issues, fhir.Issue{Code: "invalid", Expression: link.FHIRPath(),
				Text: "A conditional reference can stand in a transaction only."})
		}
		return link.Value
	})
	if len(issues) > 0 {
		return &fhir.Error{Status: 400, Issues: issues[:min(len(issues), fhir.MaxIssues)]}
	}
	return nil
}
