package join

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/term"
	"carerecord/store"
)

// Coded matches a token parameter whose code is in (not-in) a value set, or is above or below a
// code (SRCH-051, 052). Value sets and code systems of the record are those that the requester may
// see; a hidden one is unknown (VIS-003).
type Coded struct {
	local
	Type, Param, Modifier string
	System                string   // to which all codes of the parameter belong; empty if there are several
	Values                []string // escaped, as in the query
}

// Affirms implements Node.
func (c Coded) Affirms() bool         { return c.Modifier != "not-in" }
func (c Coded) drivable() bool        { return c.Affirms() }
func (c Coded) withInner([]Node) Node { return c }

func (c Coded) resolve(ctx context.Context, e *Executor, _ *candidates) (store.Pred, error) {
	var anyOf store.Or
	for _, value := range c.Values {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		set, err := c.codes(ctx, e, value)
		if err != nil {
			return nil, terminologyFault(err)
		}
		pred, err := e.view.Index().InCodes(c.Type, c.Param, set)
		if err != nil {
			return nil, Fault(err, c.Param)
		}
		anyOf = append(anyOf, pred)
	}
	if c.Modifier == "not-in" {
		return store.Not{Pred: anyOf}, nil
	}
	return anyOf, nil
}

// codes returns the set of codes of one value.
func (c Coded) codes(ctx context.Context, e *Executor, value string) (term.Set, error) {
	if c.Modifier == "in" || c.Modifier == "not-in" {
		url, err := index.Unescape(value)
		if err != nil {
			return term.Set{}, err
		}
		return e.terms.Members(ctx, url)
	}
	parts, err := index.Split(value, '|')
	for i := range parts {
		if err == nil {
			parts[i], err = index.Unescape(parts[i])
		}
	}
	switch {
	case err != nil:
		return term.Set{}, err
	case len(parts) == 1:
		parts = []string{c.System, parts[0]}
	}
	if len(parts) != 2 || parts[1] == "" {
		return term.Set{}, fhir.Fault(400, "value", "%s:%s must be system|code, not %q.", c.Param, c.Modifier, value)
	}
	hierarchy := e.terms.Below
	if c.Modifier == "above" {
		hierarchy = e.terms.Above
	}
	codes, err := hierarchy(ctx, parts[0], parts[1])
	return term.Of(parts[0], codes...), err
}

// Explain implements Node.
func (c Coded) Explain() ExplainNode {
	return ExplainNode{Kind: "terms", Type: "ValueSet, CodeSystem", Permission: "rs",
		Detail: fmt.Sprintf("%s:%s: the codes are read first, from the definitions of the requester's organisation, then those of the operator, then those of FHIR R4", c.Param, c.Modifier)}
}

// terminologyFault returns the client's error for an error of package term.
func terminologyFault(err error) error {
	var e *term.Error
	if errors.As(err, &e) {
		return fhir.Fault(400, e.Code, "%s", e.Text)
	}
	if _, ok := fhir.AsError(err); ok {
		return err
	}
	return Fault(err, "terminology")
}

// findTerminology returns the body of a CodeSystem or ValueSet of the record by the address of the
// resource or by its canonical URL. For a canonical URL the definition of the requester's own
// organisation comes first, then the operator's. So a definition of another source does not change
// the answer. Of several, the one with the greatest version is returned, then the one with the least id.
func (e *Executor) findTerminology(ctx context.Context, typ, address string) ([]byte, bool, error) {
	view := e.view.WithPermission("rs")
	if ref, ok := fhir.ParseRef(view.Index().Base(), address); ok && ref.Type == typ && ref.Version == "" {
		d, err := view.Get(ctx, store.Ref{Type: typ, ID: ref.ID})
		if errors.Is(err, store.ErrNotFound) || err == nil && d.Deleted() {
			return nil, false, nil
		}
		return d.Body, err == nil, err
	}
	url := strings.ReplaceAll(address, `\`, `\\`)
	where, err := view.Index().Predicate(index.Query{Type: typ, Name: "url", Values: []string{url}})
	if err != nil || address == "" {
		return nil, false, err
	}
	for _, source := range definingSources(view.Grant().Principal()) {
		body, found, err := newestOf(ctx, view, typ, store.And{where, source})
		if found || err != nil {
			return body, found, err
		}
	}
	return nil, false, nil
}

// definingSources returns the predicates of the sources whose terminology applies to a requester, in
// order: the own organisation, then the operator, whose resources have no source. Under
// --auth off all sources apply.
func definingSources(p consent.Principal) []store.Pred {
	operator := store.Not{Pred: store.WithPrefix(index.SourcePrefix())}
	switch {
	case p.Organisation != "":
		return []store.Pred{store.Eq{Key: index.SourceKey(p.Organisation)}, operator}
	case p.Kind == consent.System:
		return []store.Pred{store.And{}}
	}
	return []store.Pred{operator}
}

// newestOf returns the body with the greatest version among the documents that satisfy a predicate.
func newestOf(ctx context.Context, view *consent.View, typ string, where store.Pred) ([]byte, bool, error) {
	//law:terms-scan
	var best store.Doc
	version := func(d store.Doc) string { return gjson.GetBytes(d.Body, "version").Str }
	for d, err := range view.Scan(ctx, store.Query{Type: typ, Where: where}) {
		if err != nil {
			return nil, false, fmt.Errorf("find %s: %w", typ, err)
		}
		if best.Ref.ID == "" || cmp.Or(term.CompareVersions(version(d), version(best)), strings.Compare(best.Ref.ID, d.Ref.ID)) > 0 {
			best = d
		}
	}
	return best.Body, best.Ref.ID != "", nil
}
