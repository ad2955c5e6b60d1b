package index

import (
	"fmt"
	"slices"
	"strings"

	"carerecord/fhir/r4"
	"carerecord/store"
)

// Query is one search parameter as a client wrote it.
type Query struct {
	Type     string   // resource type that is searched
	Name     string   // name of the parameter
	Modifier string   // after the colon, empty for none
	Values   []string // split at unescaped commas, otherwise still escaped
}

// Error is a fault of a query. Code is of the issue-type value set: not-supported (a modifier or
// kind of parameter that is not served), value (malformed), invalid (contradictory), not-found
// (no such parameter). Text is for the client.
type Error struct{ Code, Text string }

// Error returns the text.
func (e *Error) Error() string { return e.Text }

func fault(code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Predicate returns the predicate of documents that match one of the values. Empty values are
// ignored; a query with only empty values always holds (SRCH-004). Errors are *Error.
func (x *Indexer) Predicate(q Query) (store.Pred, error) {
	p, err := x.served(q.Type, q.Name)
	if err != nil {
		return nil, err
	}
	if err := p.takes(q.Modifier); err != nil {
		return nil, err
	}
	values := slices.DeleteFunc(slices.Clone(q.Values), func(v string) bool { return v == "" })
	switch {
	case len(values) == 0:
		return store.And{}, nil
	case slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "\x00") }):
		return nil, fault("value", "%s: a value contains the character U+0000.", p.Code)
	case q.Modifier == "missing":
		return p.missing(values)
	case p.needsTerms(q.Modifier):
		return nil, fault("not-supported", "%s:%s needs terminology, which is not available here.", p.Code, q.Modifier)
	}
	preds := make([]store.Pred, len(values))
	for i, value := range values {
		if preds[i], err = x.predicateOf(q.Type, p, q.Modifier, value); err != nil {
			return nil, err
		}
		if url, version, ok := strings.Cut(value, "|"); ok && q.Name == "url" && !p.Defined && q.Modifier == "" && p.Kind == URI {
			if preds[i], err = x.versionedURLPred(q.Type, p, url, version); err != nil {
				return nil, err
			}
		}
	}
	if q.Modifier == "not" {
		return store.Not{Pred: anyOf(preds...)}, nil
	}
	return anyOf(preds...), nil
}

// versionedURLPred compares the url and the business version of a conformance resource
// (SRCH-116).
func (x *Indexer) versionedURLPred(typ string, p *param, url, version string) (store.Pred, error) {
	byURL, err := x.predicateOf(typ, p, "", url)
	if err != nil {
		return nil, err
	}
	byVersion, err := x.Predicate(Query{Type: typ, Name: "version", Values: []string{version}})
	if err != nil {
		return nil, err
	}
	return store.And{byURL, byVersion}, nil
}

// served returns an indexed parameter.
func (x *Indexer) served(typ, name string) (*param, error) {
	ti, err := x.typeIndex(typ)
	if err != nil {
		return nil, fault("not-supported", "%q is not a resource type.", typ)
	}
	p := ti.params[name]
	switch {
	case p == nil:
		return nil, fault("not-found", "%s has no search parameter %q.", typ, name)
	case !p.Indexed:
		return nil, fault("not-supported", "The search parameter %q of %s is not served: %s.", name, typ, p.notServedBecause)
	}
	return p, nil
}

// modifiers lists the served modifiers by kind of parameter, except :missing and the type names
// of references. Composites take none.
var modifiers = map[Kind][]string{
	String:    {"contains", "exact"},
	Token:     {"not", "text", "of-type", "in", "not-in", "above", "below"},
	URI:       {"below", "above"},
	Reference: {"identifier"},
}

// Modifiers returns the modifiers that parameters of a kind take, sorted, without type names.
func Modifiers(k Kind) []string {
	if k == Composite {
		return nil
	}
	list := append([]string{"missing"}, modifiers[k]...)
	slices.Sort(list)
	return list
}

// Supports reports whether a search parameter of a type is served and takes a modifier. A
// reference parameter over canonicals or extensions does not take :identifier (SRCH-106, 108).
func (x *Indexer) Supports(typ, name, modifier string) bool {
	p, err := x.served(typ, name)
	return err == nil && p.takes(modifier) == nil
}

func (p *param) takes(modifier string) error {
	switch {
	case p.Kind == Composite && modifier != "":
	case modifier == "of-type" && !p.canHaveType("Identifier"), modifier == "text" && !p.canHaveType("CodeableConcept", "Coding", "Identifier"),
		modifier == "identifier" && !p.canHaveType("Reference"),
		p.Kind == Token && isTermModifier(modifier) && !p.canHaveType("code", "Coding", "CodeableConcept"):
	case modifier == "", modifier == "missing", slices.Contains(modifiers[p.Kind], modifier):
		return nil
	case p.Kind == Reference && r4.IsResource(modifier) && slices.Contains(p.Targets, modifier):
		return nil
	}
	return fault("not-supported", "%s does not take the modifier :%s.", p.Code, modifier)
}

func (p *param) missing(values []string) (store.Pred, error) {
	present := eq(p.number|verifies, classPresent)
	switch {
	case len(values) == 1 && values[0] == "false":
		return present, nil
	case len(values) == 1 && values[0] == "true":
		return store.Not{Pred: present}, nil
	}
	return nil, fault("value", "%s:missing takes true or false.", p.Code)
}

// predicateOf returns the predicate of one value.
func (x *Indexer) predicateOf(typ string, p *param, modifier, value string) (store.Pred, error) {
	if isWords(p.Code) {
		return p.fullText(value)
	}
	switch p.Kind {
	case String:
		return textPred(p, modifier, value)
	case Token:
		return tokenPred(p, modifier, value)
	case Reference:
		return x.referencePred(p, modifier, value)
	case URI:
		return uriPred(p, modifier, value)
	case Number, Quantity:
		return x.quantityPred(p, value)
	case Special:
		return x.nearPred(p, value)
	case Composite:
		return x.compositePred(typ, p, value)
	case DateTime:
		value, err := Unescape(value)
		if err != nil {
			return nil, err
		}
		return x.datePred(p, value)
	}
	return nil, fault("not-supported", "Parameters of type %s are not served.", p.Kind)
}
