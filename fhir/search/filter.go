package search

import (
	"fmt"
	"slices"

	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// filter reads a search parameter, for every part of the plan.
func (p *planner) filter(param Param) error {
	for _, part := range p.plan.Types {
		_, known := p.x.Param(part.Type, param.Name)
		switch {
		case known:
		case param.Name == "_text" || param.Name == "_content": // the standard knows them (SRCH-157)
			return notSupported(param, "is no parameter of "+part.Type)
		default:
			p.unknown = append(p.unknown, param.Name)
			p.plan.Warnings = append(p.plan.Warnings, fhir.Issue{Severity: "warning", Code: "not-supported",
				Text: fmt.Sprintf("%s has no search parameter %s: it was ignored.", part.Type, param.Name)})
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
	for i, part := range p.plan.Types {
		pred, err := p.x.Predicate(index.Query{Type: part.Type, Name: param.Name, Modifier: param.Modifier, Values: values})
		if err != nil {
			return asFault(err, param)
		}
		p.wheres[i] = append(p.wheres[i], pred)
	}
	p.plan.filters++
	says := !slices.ContainsFunc(p.wheres, func(where store.And) bool { return !drives(param.Modifier, where[len(where)-1]) })
	p.plan.driven = p.plan.driven || says
	p.plan.positive = p.plan.positive || p.plan.driven
	if param.Modifier == "" {
		for _, value := range values {
			for _, part := range p.plan.Types {
				if preds := p.x.IDOfEachTarget(part.Type, param.Name, value); preds != nil {
					p.plan.bare = append(p.plan.bare, preds)
				}
			}
		}
	}
	p.plan.Used = append(p.plan.Used, param)
	if slices.Contains([]string{"not", "missing", "contains", "text", "above"}, param.Modifier) {
		p.plan.simple = false
	} else if len(p.plan.Types) == 1 {
		def, _ := p.x.Param(p.plan.Type(), param.Name)
		pred := p.wheres[0][len(p.wheres[0])-1]
		if len(values) == 1 {
			p.plan.Claims = append(p.plan.Claims, claims(pred, def)...)
		}
		p.name(param, def, values, pred)
	}
	return nil
}

// values are the members of the comma list of a parameter, empty ones left out
// (SRCH-004, LIM-003).
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

// positive reports whether a parameter with a modifier says what must be there,
// in a way that an index can drive by.
func positive(modifier string) bool {
	return !slices.Contains([]string{"not", "missing", "contains", "text"}, modifier)
}

// drives reports whether a parameter with a modifier, and a predicate of it, says
// what must be there, in a way that an index can drive by. Full text may ask for what
// must not be there alone.
func drives(modifier string, pred store.Pred) bool { return positive(modifier) && affirms(pred) }

func affirms(pred store.Pred) bool {
	no := func(q store.Pred) bool { return !affirms(q) }
	switch pred := pred.(type) {
	case store.Not, store.VerifyOnly:
		return false
	case store.And:
		return len(pred) == 0 || slices.ContainsFunc(pred, affirms)
	case store.Or:
		return !slices.ContainsFunc(pred, no)
	case store.Eq, store.Range, store.Interval, store.Contains, store.In:
	}
	return true
}

// claims are the equalities that every match must satisfy: those of a parameter
// whose one value is one key.
func claims(pred store.Pred, def index.Param) []store.Key {
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
			return claims(pred[0], def)
		}
	case store.And:
		var out []store.Key
		for _, q := range pred {
			out = append(out, claims(q, def)...)
		}
		return out
	case store.Range, store.Interval, store.Contains, store.In, store.Not, store.VerifyOnly:
	}
	return nil
}
