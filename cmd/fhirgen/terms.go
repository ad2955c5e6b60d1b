package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// writeSystems writes a line "= address version" for every code system of which the package has
// all codes, with a third field "flat" if its nesting does not mean is-a. Below it is a line for
// every code: a tab for each level of nesting (one for the top level), the code, and the codes
// that are children of it without being nested there.
func writeSystems(b *bytes.Buffer, d *definitions) error {
	for _, url := range slices.Sorted(maps.Keys(d.codeSystems)) {
		s := d.codeSystems[url]
		if s.Content != "complete" {
			continue
		}
		line := "= " + url + "\t" + s.Version
		if s.HierarchyMeaning != "" && s.HierarchyMeaning != "is-a" {
			line += "\tflat"
		}
		fmt.Fprintln(b, line)
		if err := writeConcepts(b, s.Concept, "\t"); err != nil {
			return fmt.Errorf("%s: %w", url, err)
		}
	}
	return nil
}

func writeConcepts(b *bytes.Buffer, list []concept, level string) error {
	for _, c := range list {
		line := []string{c.Code}
		for _, p := range c.Property {
			if p.Code == "child" {
				line = append(line, p.ValueCode)
			}
		}
		if c.Code == "" || strings.ContainsAny(c.Code, "\t\n") {
			return fmt.Errorf("the code %q has characters that the table cannot have", c.Code)
		}
		fmt.Fprintln(b, level+strings.Join(line, "\t"))
		if err := writeConcepts(b, c.Concept, level+"\t"); err != nil {
			return err
		}
	}
	return nil
}

// writeSets writes a line "= address version" for every value set with a compose element. Below it
// is a line for each include and exclude: + or -, system, its version, and a field for each
// condition, whose first letter is c for a code, v for a value set, or f for a filter of
// property, op and value.
func writeSets(b *bytes.Buffer, d *definitions) error {
	for _, url := range slices.Sorted(maps.Keys(d.valueSets)) {
		v := d.valueSets[url]
		if url == "" || len(v.Compose.Include) == 0 {
			continue
		}
		if v.Compose.Inactive != nil && !*v.Compose.Inactive {
			return fmt.Errorf("%s excludes inactive codes", url)
		}
		fmt.Fprintf(b, "= %s\t%s\n", url, v.Version)
		for _, in := range v.Compose.Include {
			writeInclude(b, "+", in)
		}
		for _, out := range v.Compose.Exclude {
			writeInclude(b, "-", out)
		}
	}
	return nil
}

func writeInclude(b *bytes.Buffer, sign string, in include) {
	line := []string{sign, in.System, in.Version}
	for _, c := range in.Concept {
		line = append(line, "c"+c.Code)
	}
	for _, url := range in.ValueSet {
		line = append(line, "v"+url)
	}
	for _, f := range in.Filter {
		line = append(line, "f"+oneLine(f.Property+" "+f.Op+" "+f.Value))
	}
	fmt.Fprintln(b, strings.TrimRight(strings.Join(line, "\t"), "\t"))
}
