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

// Param is a search parameter of a resource type as this server serves it.
type Param struct {
	Code    string
	URL     string // canonical address of the definition
	Kind    Kind
	Targets []string // types that a reference parameter can point to, sorted
	// Monotone says that cutting whole values out of a resource can only take
	// matches away.
	Monotone bool
	Indexed  bool // false for a known parameter that is not served
	// DefinedParam says that a stored SearchParameter defines it, and not the standard.
	// Scopes, directives and whom a request names never go by such a one.
	Defined bool
}

// Param returns a parameter of a type by its name, those of Resource and
// DomainResource included.
func (x *Indexer) Param(typ, name string) (Param, bool) {
	ti, err := x.typeIndex(typ)
	if err != nil || ti.params[name] == nil {
		return Param{}, false
	}
	return ti.params[name].Param, true
}

// Params returns the parameters of a type that are served, sorted by code.
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
