package search

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

// coded asks whether a token lies in value sets, or above or below codes
// (SRCH-051, 052). The sets and systems of the record are those that the caller
// may see: what is hidden is unknown (VIS-003).
type coded struct {
	typ, name, modifier string
	system              string // of all codes of the parameter, where it is but one
	values              []string
}

// terms plans a modifier that asks terminology; nil for any other.
func (p *planner) terms(typ, name, modifier string, values []string) (node, error) {
	system, asks, err := p.x.NeedsTerminology(typ, name, modifier)
	if err != nil {
		return nil, asFault(err, Param{Name: name, Modifier: modifier})
	}
	if !asks {
		return nil, nil
	}
	return coded{typ, name, modifier, system, values}, nil
}

// coded reads a parameter whose modifier asks terminology, for every part of the
// plan. It is false for any other.
func (p *planner) coded(param Param, values []string) (bool, error) {
	nodes := make([]node, len(p.plan.Types))
	for i, part := range p.plan.Types {
		n, err := p.terms(part.Type, param.Name, param.Modifier, values)
		if n == nil || err != nil {
			return false, err
		}
		nodes[i] = n
	}
	for i, n := range nodes {
		p.add(i, n)
	}
	p.plan.filters++
	p.plan.simple, p.plan.positive = false, p.plan.positive || nodes[0].positive()
	p.plan.Used = append(p.plan.Used, param)
	return true, nil
}

func (c coded) positive() bool { return c.modifier != "not-in" }

func (c coded) resolve(ctx context.Context, j *joiner, _ *few) (store.Pred, error) {
	var any store.Or
	for _, value := range c.values {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		set, err := c.set(ctx, j, value)
		if err != nil {
			return nil, refusedTerm(err)
		}
		pred, err := j.view.Index().InCodes(c.typ, c.name, set)
		if err != nil {
			return nil, asFault(err, Param{Name: c.name})
		}
		any = append(any, pred)
	}
	if c.modifier == "not-in" {
		return store.Not{Pred: any}, nil
	}
	return any, nil
}

// set is what a value stands for.
func (c coded) set(ctx context.Context, j *joiner, value string) (term.Set, error) {
	if c.modifier == "in" || c.modifier == "not-in" {
		address, err := index.Unescape(value)
		if err != nil {
			return term.Set{}, err
		}
		return j.terms.Members(ctx, address)
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
		parts = []string{c.system, parts[0]}
	}
	if len(parts) != 2 || parts[1] == "" {
		return term.Set{}, fhir.Fault(400, "value", "%s:%s is system|code, not %q.", c.name, c.modifier, value)
	}
	ask := j.terms.Below
	if c.modifier == "above" {
		ask = j.terms.Above
	}
	codes, err := ask(ctx, parts[0], parts[1])
	return term.Of(parts[0], codes...), err
}

// refusedTerm makes the client's error of one of term.
func refusedTerm(err error) error {
	var e *term.Error
	if errors.As(err, &e) {
		return fhir.Fault(400, e.Code, "%s", e.Text)
	}
	if _, ok := fhir.AsError(err); ok {
		return err
	}
	return asFault(err, Param{Name: "terminology"})
}

// find returns the body of a CodeSystem or ValueSet of the record: of an address
// of a resource, or of a canonical address. A canonical address is what the caller's own
// organisation defines, else what the operator does: what another source stores under it
// changes no answer but its own. Of several the greatest version counts, then the least id.
func (j *joiner) find(ctx context.Context, typ, address string) ([]byte, bool, error) {
	view := j.view.WithPermission("rs")
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
	for _, of := range definers(view.Grant().Principal()) {
		body, found, err := newestOf(ctx, view, typ, store.And{where, of})
		if found || err != nil {
			return body, found, err
		}
	}
	return nil, false, nil
}

// definers are the sources that define terminology for a caller, the nearest first: the own
// organisation, and the operator, whose resources have no source. Somebody without a guard
// and an organisation takes all sources for the own.
func definers(p consent.Principal) []store.Pred {
	operator := store.Not{Pred: store.WithPrefix(index.SourcePrefix())}
	switch {
	case p.Organisation != "":
		return []store.Pred{store.Eq{Key: index.SourceKey(p.Organisation)}, operator}
	case p.Kind == consent.System:
		return []store.Pred{store.And{}}
	}
	return []store.Pred{operator}
}

// newestOf returns the body of the greatest version that satisfies a predicate.
func newestOf(ctx context.Context, view *consent.View, typ string, where store.Pred) ([]byte, bool, error) {
	//law:terms-scan
	var best store.Doc
	version := func(d store.Doc) string { return gjson.GetBytes(d.Body, "version").Str }
	for d, err := range view.Scan(ctx, store.Query{Type: typ, Where: where}) {
		if err != nil {
			return nil, false, fmt.Errorf("look for %s: %w", typ, err)
		}
		if best.Ref.ID == "" || cmp.Or(term.CompareVersions(version(d), version(best)), strings.Compare(best.Ref.ID, d.Ref.ID)) > 0 {
			best = d
		}
	}
	return best.Body, best.Ref.ID != "", nil
}
