package index

import (
	"slices"
	"strings"

	"carerecord/store"
)

// Compare returns the predicate of a test of _filter (SRCH-158): an operator of
// search_filter.html between a parameter and one value, written as in a parameter. The operators
// in, ni, ss and sb are handled as modifiers of tokens (NeedsTerminology), except ss on media
// types. Errors are *Error.
func (x *Indexer) Compare(typ, name, op, value string) (store.Pred, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	if value == "" || strings.Contains(value, "\x00") {
		return nil, fault("value", "%s: a value is empty or contains the character U+0000.", p.Code)
	}
	ask := func(modifier, value string) (store.Pred, error) {
		return x.Predicate(Query{Type: typ, Name: name, Modifier: modifier, Values: []string{value}})
	}
	switch {
	case op == "pr" && (value == "true" || value == "false"):
		return p.missing([]string{map[string]string{"true": "false", "false": "true"}[value]})
	case op == "pr":
		return nil, fault("value", "%s pr takes true or false, not %q.", p.Code, value)
	}
	switch p.Kind {
	case DateTime:
		if op == "po" {
			return x.overlapPred(p, value)
		}
		if strings.Contains(comparators, op) {
			return ask("", op+value)
		}
	case Number, Quantity:
		if strings.Contains(comparators, op) {
			return ask("", op+value)
		}
	case String:
		switch op {
		case "eq", "ne":
			return p.wholeTextPred(op, value)
		case "co":
			return ask("contains", value)
		case "sw":
			return ask("", value)
		}
	case Token, URI, Reference:
		switch {
		case op == "eq", op == "re" && p.Kind == Reference:
			return ask("", value)
		case op == "ss" && p.Kind == Token:
			return ask("below", value)
		case op == "ne":
			equal, err := ask("", value)
			if err != nil {
				return nil, err
			}
			return p.unequalPred(equal)
		}
	case Composite:
		if op == "eq" {
			return ask("", value)
		}
	case Special:
	}
	return nil, fault("not-supported", "_filter: the operator %s is not served for %s, which is a %s.", op, p.Code, p.Kind)
}

// overlapPred holds if a date overlaps the interval of the value.
func (x *Indexer) overlapPred(p *param, value string) (store.Pred, error) {
	sp, err := parseDate(value, x.zone)
	if err != nil {
		return nil, fault("value", "%s: %q %s.", p.Code, value, err)
	}
	return p.dateSpan(bounds{loMax: sp.hi.String(), hiMin: sp.lo.String() + "\x00"}), nil
}

// wholeTextPred compares whole folded strings. A string longer than a driving key is compared by
// that key and by classLong. A string that ends where a driving key ends equals any longer one.
func (p *param) wholeTextPred(op, value string) (store.Pred, error) {
	value, err := Unescape(value)
	if err != nil {
		return nil, err
	}
	folded := fold(value)
	begins, whole := eq(p.number, classStart, cutText(folded)), eq(p.number|verifies, classLong, folded)
	if op == "ne" {
		return store.Or{otherKeys(begins), otherKeys(whole)}, nil
	}
	switch {
	case folded == "":
		return store.Or{}, nil
	case cutText(folded) != folded:
		return store.And{begins, whole}, nil
	}
	return begins, nil
}

// unequalPred holds if there is a value that equal does not match.
func (p *param) unequalPred(equal store.Pred) (store.Pred, error) {
	if or, ok := equal.(store.Or); ok && len(or) == 0 {
		return eq(p.number|verifies, classPresent), nil // no value can be equal
	}
	if pred := otherKeys(equal); pred != nil {
		return pred, nil
	}
	return nil, fault("not-supported", "_filter: ne is not served for this value of %s.", p.Code)
}

// otherKeys returns the ranges of the keys of the same classes that equal does not name, or nil
// if equal has other members than keys and ranges.
func otherKeys(equal store.Pred) store.Pred {
	var named []store.Range
	switch e := equal.(type) {
	case store.Eq:
		named = []store.Range{{Low: e.Key, High: e.Key + "\x00"}}
	case store.Range:
		named = []store.Range{e}
	case store.Or:
		for _, q := range e {
			switch q := q.(type) {
			case store.Eq:
				named = append(named, store.Range{Low: q.Key, High: q.Key + "\x00"})
			case store.Range:
				named = append(named, q)
			case store.Interval, store.Contains, store.In, store.And, store.Or, store.Not, store.VerifyOnly:
				return nil
			}
		}
	case store.Interval, store.Contains, store.In, store.And, store.Not, store.VerifyOnly:
		return nil
	}
	slices.SortFunc(named, func(a, b store.Range) int { return strings.Compare(string(a.Low), string(b.Low)) })
	var out store.Or
	for i := 0; i < len(named); {
		class := named[i].Low[:3]
		low := class
		for ; i < len(named) && named[i].Low[:3] == class; i++ {
			out = append(out, store.Range{Low: low, High: named[i].Low})
			low = max(low, named[i].High)
		}
		out = append(out, store.Range{Low: low, High: store.PrefixEnd(class)})
	}
	return out
}
