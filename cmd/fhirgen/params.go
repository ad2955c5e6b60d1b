package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

const searchParameters = "http://hl7.org/fhir/SearchParameter/"

// writeParams writes a line for every search parameter: id, code, type, bases,
// targets, expression, components. Definitions without a base, which are drafts
// of extensions, are omitted.
func writeParams(b *bytes.Buffer, d *definitions) error {
	slices.SortFunc(d.params, func(a, b searchParameter) int { return cmp.Compare(a.ID, b.ID) })
	for _, p := range d.params {
		if len(p.Base) == 0 {
			continue
		}
		if p.URL != searchParameters+p.ID {
			return fmt.Errorf("the URL %s of %s does not end in its id", p.URL, p.ID)
		}
		var components []string
		for _, c := range p.Component {
			components = append(components, strings.TrimPrefix(c.Definition, searchParameters)+"="+c.Expression)
		}
		slices.Sort(p.Target)
		line := []string{
			p.ID, p.Code, p.Type, strings.Join(p.Base, ","), strings.Join(p.Target, ","),
			oneLine(p.Expression), oneLine(strings.Join(components, ";")),
		}
		b.WriteString(strings.TrimRight(strings.Join(line, "\t"), "\t") + "\n")
	}
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// writeCompartments writes a line "= name" for every compartment and below it
// a line for every member type: type, parameters.
func writeCompartments(b *bytes.Buffer, d *definitions) error {
	slices.SortFunc(d.compartments, func(a, b compartmentDefinition) int { return cmp.Compare(a.Code, b.Code) })
	for _, c := range d.compartments {
		fmt.Fprintf(b, "= %s\n", c.Code)
		for _, r := range c.Resource {
			if len(r.Param) > 0 {
				fmt.Fprintf(b, "%s\t%s\n", r.Code, strings.Join(r.Param, ","))
			}
		}
	}
	return nil
}
