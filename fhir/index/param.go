package index

import (
	"slices"
	"strings"
)

// Kind is the type of a search parameter: "string", "token" and so on.
type Kind string

// The kinds of search parameters.
const (
	Number    Kind = "number"
	DateTime  Kind = "date"
	String    Kind = "string"
	Token     Kind = "token"
	Reference Kind = "reference"
	Composite Kind = "composite"
	Quantity  Kind = "quantity"
	URI       Kind = "uri"
	Special   Kind = "special"
)

// Param is a search parameter of a resource type on this server.
type Param struct {
	Code    string
	URL     string // canonical address of the definition
	Kind    Kind
	Targets []string // types to which a reference parameter can refer, sorted
	// Monotone: cutting values out of a resource can only remove matches.
	Monotone bool
	Indexed  bool // false for a known parameter that is not served
	// Defined: a stored SearchParameter defines it, and not the standard. Scopes, directives
	// and the patient that a request names never depend on such a parameter.
	Defined bool
}

// Param returns a parameter of a type by its name. Types have the parameters of Resource and
// DomainResource too.
func (x *Indexer) Param(typ, name string) (Param, bool) {
	ti, err := x.typeIndex(typ)
	if err != nil || ti.params[name] == nil {
		return Param{}, false
	}
	return ti.params[name].Param, true
}

// Params returns the served parameters of a type, sorted by code.
func (x *Indexer) Params(typ string) []Param {
	ti, err := x.typeIndex(typ)
	if err != nil {
		return nil
	}
	list := make([]Param, 0, len(ti.keyed))
	for _, p := range ti.keyed {
		if p.Indexed {
			list = append(list, p.Param)
		}
	}
	slices.SortFunc(list, func(a, b Param) int { return strings.Compare(a.Code, b.Code) })
	return list
}

// Sortable reports whether _sort takes parameters of a kind (SRCH-194).
func Sortable(k Kind) bool {
	switch k {
	case String, DateTime, Number, Quantity, Token, URI:
		return true
	case Reference, Composite, Special:
	}
	return false
}
