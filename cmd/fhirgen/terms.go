package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// writeSystems writes a line "= address version" for every code system of which
// the package has all codes, with a third field "flat" where its nesting does not
// mean is-a, and below it a line for every code: a tab for each level that it is
// nested, one for the first, the code, and codes that are below it without being
// nested there.
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
			return fmt.Errorf("the table cannot contain the code %q", c.Code)
		}
		fmt.Fprintln(b, level+strings.Join(line, "\t"))
		if err := writeConcepts(b, c.Concept, level+"\t"); err != nil {
			return err
		}
	}
	return nil
}

// writeSets writes a line "= address version" for every value set that says what
// it is composed of, and below it a line for each include and exclude: + or -,
// system, its version, and a field for each condition, marked by its first
// letter: c a code, v a value set, f a filter of property, op and value.
func writeSets(b *bytes.Buffer, d *definitions) error {
	for _, url := range slices.Sorted(maps.Keys(d.valueSets)) {
		v := d.valueSets[url]
		if url == "" || len(v.Compose.Include) == 0 {
			continue
		}
		if v.Compose.Inactive != nil && !*v.Compose.Inactive {
			return fmt.Errorf("%s leaves inactive codes out", url)
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
