package r4

import (
	"cmp"
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// SearchParam is a search parameter of the standard.
type SearchParam struct {
	URL        string
	Code       string // name in a query: "birthdate"
	Type       string // "string", "token", "reference" ...
	Bases      []string
	Targets    []string // resource types of a reference, as the registry lists them
	Expression string   // FHIRPath, empty for a few that are computed otherwise
	Components []Component
}

// Component is a part of a composite search parameter.
type Component struct {
	Definition string // URL of a SearchParam
	Expression string // relative to the composite's expression
}

// SearchParams returns the parameters of a resource type sorted by code, including those of
// Resource and DomainResource. It returns nil if there is no such type.
func SearchParams(typ string) []*SearchParam { return paramsByType()[typ] }

// LookupSearchParam returns a parameter of a resource type by its code, or nil.
func LookupSearchParam(typ, code string) *SearchParam {
	list := paramsByType()[typ]
	i, found := slices.BinarySearchFunc(list, code, func(p *SearchParam, code string) int { return cmp.Compare(p.Code, code) })
	if !found {
		return nil
	}
	return list[i]
}

// SearchParamByURL returns a parameter by its canonical address, or nil.
func SearchParamByURL(url string) *SearchParam {
	list := allParams()
	i, found := slices.BinarySearchFunc(list, url, func(p *SearchParam, url string) int { return cmp.Compare(p.URL, url) })
	if !found {
		return nil
	}
	return list[i]
}

const paramBase = "http://hl7.org/fhir/SearchParameter/"

//go:embed params_gen.tsv
var paramTable string

// allParams is sorted by address.
var allParams = sync.OnceValue(func() []*SearchParam {
	var list []*SearchParam
	for line := range lines(paramTable) {
		f := fields(line, 7)
		p := &SearchParam{
			URL: paramBase + f[0], Code: f[1], Type: f[2],
			Bases: names(f[3]), Targets: names(f[4]), Expression: f[5],
		}
		if f[6] != "" {
			for part := range strings.SplitSeq(f[6], ";") {
				definition, expression, _ := strings.Cut(part, "=")
				p.Components = append(p.Components, Component{paramBase + definition, expression})
			}
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *SearchParam) int { return cmp.Compare(a.URL, b.URL) })
	return list
})

var paramsByType = sync.OnceValue(func() map[string][]*SearchParam {
	bases := map[string][]*SearchParam{}
	for _, p := range allParams() {
		for _, base := range p.Bases {
			bases[base] = append(bases[base], p)
		}
	}
	byType := map[string][]*SearchParam{}
	for _, typ := range resources() {
		list := slices.Concat(bases["Resource"], bases[typ])
		if TypeOf(typ).Element("contained") != nil {
			list = append(list, bases["DomainResource"]...)
		}
		slices.SortFunc(list, func(a, b *SearchParam) int { return cmp.Compare(a.Code, b.Code) })
		byType[typ] = list
	}
	return byType
})

func names(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
