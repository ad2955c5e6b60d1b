package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const structures = "http://hl7.org/fhir/StructureDefinition/"

// writeTypes writes a line "= name kind" for every type and below it a line
// for every element: path within the type, types, min, max, flags, binding.
func writeTypes(b *bytes.Buffer, d *definitions) error {
	for _, name := range slices.Sorted(maps.Keys(d.types)) {
		s := d.types[name]
		kind := s.Kind
		if s.Abstract {
			kind = "abstract"
		}
		fmt.Fprintf(b, "= %s\t%s\n", name, kind)
		if s.Kind == "primitive-type" {
			continue
		}
		for _, e := range s.Snapshot.Element {
			within, isChild := strings.CutPrefix(e.Path, name+".")
			if !isChild {
				continue
			}
			types := typesOf(e)
			if s.Kind == "resource" && within == "id" {
				types = "id" // the snapshots of 4.0.1 say string, resource.html says id
			}
			line := []string{within, types, fmt.Sprint(e.Min), e.Max, flagsOf(e), bindingOf(e)}
			b.WriteString(strings.TrimRight(strings.Join(line, "\t"), "\t") + "\n")
		}
	}
	return nil
}

// typesOf returns the types of an element, with the targets of references, or the element whose
// content it repeats.
func typesOf(e element) string {
	if e.ContentReference != "" {
		return e.ContentReference
	}
	var names []string
	for _, t := range e.Type {
		name := t.Code
		for _, x := range t.Extension {
			if strings.HasSuffix(x.URL, "structuredefinition-fhir-type") {
				name = x.ValueURL
			}
		}
		if len(t.TargetProfile) > 0 {
			targets := make([]string, len(t.TargetProfile))
			for i, p := range t.TargetProfile {
				targets[i] = strings.TrimPrefix(p, structures)
			}
			slices.Sort(targets)
			name += "(" + strings.Join(slices.Compact(targets), "|") + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, ",")
}

func flagsOf(e element) string {
	var flags string
	if e.IsSummary {
		flags += "s"
	}
	if e.IsModifier {
		flags += "m"
	}
	return flags
}

// bindingOf returns "strength valueset" for the bindings that the server uses: required ones, and
// those of code elements, which imply a system.
func bindingOf(e element) string {
	if !bound(e) {
		return ""
	}
	url, _, _ := strings.Cut(e.Binding.ValueSet, "|")
	return e.Binding.Strength + " " + url
}

func bound(e element) bool {
	if e.Binding.ValueSet == "" {
		return false
	}
	isCode := slices.ContainsFunc(e.Type, func(t elementType) bool { return t.Code == "code" })
	return isCode || e.Binding.Strength == "required"
}
