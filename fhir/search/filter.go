package search

import (
	"fmt"
	"slices"

	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// filter adds a search parameter to the predicates of all types.
func (p *planner) filter(param Param) error {
	for _, part := range p.query.Types {
		_, known := p.x.Param(part.Type, param.Name)
		switch {
		case known:
		case param.Name == "_text" || param.Name == "_content": // the standard knows them (SRCH-157)
			return NotSupported(param, "is not a parameter of "+part.Type)
		default:
			p.unknown = append(p.unknown, param.Name)
			p.query.Warnings = append(p.query.Warnings, fhir.Issue{Severity: "warning", Code: "not-supported",
				Text: fmt.Sprintf("%s has no search parameter %s. It was ignored.", part.Type, param.Name)})
			return nil
		}
	}
	values, err := p.values(param)
	if err != nil || len(values) == 0 {
		return err
	}
	if done, err := p.coded(param, values); done || err != nil {
		return err
	}
	for i, part := range p.query.Types {
		pred, err := p.x.Predicate(index.Query{Type: part.Type, Name: param.Name, Modifier: param.Modifier, Values: values})
		if err != nil {
			return asFault(err, param)
		}
		p.wheres[i] = append(p.wheres[i], pred)
	}
	p.query.filters++
	p.query.byID = p.query.byID || param.Name == "_id" && param.Modifier == ""
	drivesAll := !slices.ContainsFunc(p.wheres, func(where store.And) bool { return !drives(param.Modifier, where[len(where)-1]) })
	p.query.driven = p.query.driven || drivesAll
	p.query.affirmative = p.query.affirmative || p.query.driven
	if param.Modifier == "" {
		for _, value := range values {
			for _, part := range p.query.Types {
				if preds := p.x.IDOfEachTarget(part.Type, param.Name, value); preds != nil {
					p.query.untypedIDs = append(p.query.untypedIDs, preds)
				}
			}
		}
	}
	p.query.Used = append(p.query.Used, param)
	if slices.Contains([]string{"not", "missing", "contains", "text", "above"}, param.Modifier) {
		p.query.countable = false
	} else if len(p.query.Types) == 1 {
		def, _ := p.x.Param(p.query.Type(), param.Name)
		pred := p.wheres[0][len(p.wheres[0])-1]
		if len(values) == 1 {
			p.query.Claims = append(p.query.Claims, claimsOf(pred, def)...)
		}
		p.name(param, def, values, pred)
	}
	return nil
}

// values splits the comma list of a parameter and drops empty values (SRCH-004, LIM-003).
func (p *planner) values(param Param) ([]string, error) {
	values, err := index.Split(param.Value, ',')
	if err != nil {
		return nil, asFault(err, param)
	}
	values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
	if len(values) > p.opt.Limits.ORValues {
		return nil, fhir.Fault(400, "too-costly", "%s has more than %d values.", param.Name, p.opt.Limits.ORValues)
	}
	return values, nil
}

// affirms reports whether a parameter with a modifier demands that something is present, so that an
// index can propose candidates.
func affirms(modifier string) bool {
	return !slices.Contains([]string{"not", "missing", "contains", "text"}, modifier)
}

// drives reports whether an index can propose candidates for a parameter with a modifier and its
// predicate. A full-text query may only demand that words are absent.
func drives(modifier string, pred store.Pred) bool { return affirms(modifier) && predAffirms(pred) }

func predAffirms(pred store.Pred) bool {
	no := func(q store.Pred) bool { return !predAffirms(q) }
	switch pred := pred.(type) {
	case store.Not, store.VerifyOnly:
		return false
	case store.And:
		return len(pred) == 0 || slices.ContainsFunc(pred, predAffirms)
	case store.Or:
		return !slices.ContainsFunc(pred, no)
	case store.Eq, store.Range, store.Interval, store.Contains, store.In:
	}
	return true
}

// claimsOf returns the keys that every match must have: those of a parameter with one value that is
// one key.
func claimsOf(pred store.Pred, def index.Param) []store.Key {
	switch def.Kind {
	case index.Token, index.Reference, index.URI:
	default:
		return nil
	}
	switch pred := pred.(type) {
	case store.Eq:
		if pred.Key.Driving() {
			return []store.Key{pred.Key}
		}
	case store.Or:
		if len(pred) == 1 {
			return claimsOf(pred[0], def)
		}
	case store.And:
		var out []store.Key
		for _, q := range pred {
			out = append(out, claimsOf(q, def)...)
		}
		return out
	case store.Range, store.Interval, store.Contains, store.In, store.Not, store.VerifyOnly:
	}
	return nil
}
