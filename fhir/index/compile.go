package index

import (
	"maps"
	"slices"

	"carerecord/fhir/path"
	"carerecord/fhir/r4"
)

// typeIndex holds the search parameters and the owner rule of one resource type.
type typeIndex struct {
	params map[string]*param
	keyed  []*param // those with keys, by code, then those that stored SearchParameters define
	owners *ownerRule
	// monotone has the numbers of the monotone parameters with keys.
	monotone map[uint16]bool
	// wordNumbers has the numbers of _text and _content, if words have keys.
	wordNumbers map[uint16]bool
}

// param is a search parameter of one resource type.
type param struct {
	Param
	number       uint16
	expr         *path.Expr
	yields       []path.Yield
	valueTypes   []string     // distinct types of the yields
	tokenClasses tokenClasses // of a token
	singleSystem string       // system of all codes of a token, if there is only one
	integersOnly bool         // all its values are integers
	composition  *composition // of a composite
	narrative    uint16       // of _content: the number of _text
	// notServedBecause is the reason why a parameter is not indexed.
	notServedBecause string
}

// unserved lists parameters that compile but whose comparison is not implemented.
var unserved = []string{"phonetic"}

func (x *standard) compile(typ string) (*typeIndex, error) {
	owners, err := x.ownerRule(typ)
	if err != nil {
		return nil, err
	}
	ti := &typeIndex{params: map[string]*param{}, owners: owners, monotone: map[uint16]bool{}}
	for _, def := range r4.SearchParams(typ) {
		number := paramNumbers()[paramName{typ, def.Code}]
		p := compileParam(typ, def, number)
		if isWords(def.Code) {
			p = x.wordsParam(def, number)
		}
		ti.params[def.Code] = p
		if p.Indexed {
			ti.keyed = append(ti.keyed, p)
			ti.monotone[p.number] = p.Monotone
		}
	}
	ti.uniteComboParams()
	ti.linkNarrative()
	return ti, nil
}

func compileParam(typ string, def *r4.SearchParam, number uint16) *param {
	p := &param{Param: Param{Code: def.Code, URL: def.URL, Kind: Kind(def.Type)}, number: number}
	switch {
	case p.Kind == Special && def.Code != "near":
		p.notServedBecause = "parameters of type " + def.Type + " are not served"
	case def.Expression == "":
		p.notServedBecause = "it has no expression"
	case slices.Contains(unserved, def.Code):
		p.notServedBecause = "its comparison is not served"
	case p.number == 0:
		p.notServedBecause = "it has no number in params.txt"
	}
	if p.notServedBecause != "" {
		return p
	}
	expr, err := path.Compile(def.Expression)
	if err == nil {
		expr, err = expr.For(typ)
	}
	if err == nil {
		p.yields, err = expr.Yields(typ)
	}
	if err != nil {
		p.notServedBecause = err.Error()
		return p
	}
	p.expr, p.Monotone = expr, expr.Monotone()
	if p.Kind == Composite {
		if err := p.compose(typ, def); err != nil {
			p.notServedBecause = err.Error()
			return p
		}
	} else if p.readTypes(def); !p.hasKeys() {
		p.notServedBecause = "its values have no keys"
		return p
	}
	p.Indexed = true
	return p
}

func (p *param) readTypes(def *r4.SearchParam) {
	types := map[string]bool{}
	for _, y := range p.yields {
		types[y.Type] = true
	}
	p.valueTypes = sortedNames(types)
	switch p.Kind {
	case Token:
		p.tokenClasses, p.singleSystem = tokenClassesOf(p.yields), singleSystemOf(p.yields)
	case Number:
		p.integersOnly = p.onlyTypes("integer", "positiveInt", "unsignedInt")
	case Reference:
		p.Targets = targetsOf(def, p.yields)
	case Composite, DateTime, Quantity, Special, String, URI:
	}
}

// keyedTypes lists the types that have keys, by kind of parameter. Other types that a parameter
// can reach have none (Procedure.performed can be a string).
var keyedTypes = map[Kind][]string{
	Number:    {"decimal", "integer", "positiveInt", "unsignedInt", "Range", "Extension"},
	DateTime:  {"date", "dateTime", "instant", "Period", "Timing", "Extension"},
	String:    {"string", "markdown", "HumanName", "Address", "Extension"},
	Token:     {"code", "Coding", "CodeableConcept", "Identifier", "ContactPoint", "boolean", "id", "string", "markdown", "uri", "url", "canonical", "oid", "uuid", "Extension"},
	Reference: {"Reference", "canonical", "uri", "url", "Extension"},
	Quantity:  {"Quantity", "Age", "Count", "Distance", "Duration", "Money", "Range", "SampledData", "Extension"},
	URI:       {"uri", "url", "canonical", "oid", "uuid", "Extension"},
	Special:   {"Location.position"},
}

func (p *param) hasKeys() bool {
	return slices.ContainsFunc(p.valueTypes, func(t string) bool { return slices.Contains(keyedTypes[p.Kind], t) })
}

// onlyTypes reports whether every type that the parameter can have is one of these.
func (p *param) onlyTypes(types ...string) bool {
	return !slices.ContainsFunc(p.valueTypes, func(t string) bool { return !slices.Contains(types, t) })
}

// canHaveType reports whether the parameter can have one of these types.
func (p *param) canHaveType(types ...string) bool {
	return slices.ContainsFunc(p.valueTypes, func(t string) bool { return slices.Contains(types, t) })
}

// canHaveElement reports whether the parameter can have an element of a datatype: the element
// itself, or the whole datatype.
func (p *param) canHaveElement(elementPath string) bool {
	return slices.ContainsFunc(p.yields, func(y path.Yield) bool {
		return y.Type == "Extension" || y.Element != nil && y.Element.Path == elementPath ||
			len(y.Type) < len(elementPath) && elementPath[:len(y.Type)+1] == y.Type+"."
	})
}

func sortedNames(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
