package pages

import (
	"slices"
	"strings"
)

// Catalogue describes the texts of data groups. The zero value is not usable.
type Catalogue struct{ source language }

// Catalogue returns the data groups that a patient can be asked about.
func (p *Renderer) Catalogue() Catalogue { return Catalogue{p.languages[0]} }

// Version returns the version of the texts, which is stored with a decision of a reader (SMART-219, 221).
func (c Catalogue) Version() string { return c.source.Version }

// Has reports whether a type of resource, or "*", has a text. A scope on a type without one cannot be granted to an app
// for patients (SMART-219).
func (c Catalogue) Has(resourceType string) bool {
	if resourceType == "*" {
		resourceType = "all"
	} else if resourceType == "all" {
		return false
	}
	return c.source.Texts["group."+resourceType+".short"] != ""
}

// Categories returns the category codes of a type that a reader can choose from (SMART-213), in the order of their names,
// or none.
func (c Catalogue) Categories(resourceType string) []string {
	var out []string
	for key := range c.source.Texts {
		if code, ok := strings.CutPrefix(key, "category."+resourceType+"."); ok {
			out = append(out, code)
		}
	}
	slices.Sort(out)
	return out
}
