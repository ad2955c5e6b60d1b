// Package screen turns the scopes that an app asks for into what the consent page shows, and the answer of a person into the
// scopes that are granted (SMART-212 to 216). What a person leaves unticked is not granted, and nothing is granted that the
// page did not show. It never looks at the record (SMART-217).
package screen

import (
	"net/url"
	"slices"
	"strings"

	"carerecord/consent"
	"carerecord/fhir/r4"
	"carerecord/interop/pages"
	"carerecord/interop/smart/scopes"
)

// The permissions that read and that write.
const (
	reading = "rs"
	writing = "cud"
)

// systems are the code systems of the categories that the page offers, by type.
func systems() map[string]string {
	return map[string]string{
		"Observation":       "http://terminology.hl7.org/CodeSystem/observation-category",
		"Condition":         "http://terminology.hl7.org/CodeSystem/condition-category",
		"DocumentReference": "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
	}
}

// Offer returns the data groups and the types to write that a page shows for a set of scopes, and the set without the scopes
// that have no text: they cannot be granted to an app for patients (SMART-219).
func Offer(set scopes.Set, c pages.Catalogue) (groups []pages.Group, writes []string, shown scopes.Set) {
	shown = set
	shown.Resources = slices.DeleteFunc(slices.Clone(set.Resources), func(s consent.Scope) bool { return !c.Has(s.Type) })
	for _, s := range shown.Resources {
		if strings.ContainsAny(s.Permissions, reading) {
			groups = addGroup(groups, s, c)
		}
		if strings.ContainsAny(s.Permissions, writing) && !slices.Contains(writes, s.Type) {
			writes = append(writes, s.Type)
		}
	}
	return groups, writes, shown
}

// addGroup adds what a scope reads. A type is one group: all of it, or the categories that the app asks for.
func addGroup(groups []pages.Group, s consent.Scope, c pages.Catalogue) []pages.Group {
	g := pages.Group{Type: s.Type, Categories: c.Categories(s.Type)}
	if s.Type == "*" {
		g.Categories = nil
	}
	if s.Constraint != "" {
		g.Narrow, g.Categories = true, nil
		if code := categoryOf(s); code != "" {
			g.Categories = []string{code}
		}
	}
	i := slices.IndexFunc(groups, func(have pages.Group) bool { return have.Type == s.Type })
	if i < 0 {
		return append(groups, g)
	}
	have := &groups[i]
	switch {
	case !have.Narrow:
	case !g.Narrow:
		*have = g
	case len(have.Categories) == 0 || len(g.Categories) == 0:
		have.Categories = nil // a constraint of another kind: the group is one box
	case !slices.Contains(have.Categories, g.Categories[0]):
		have.Categories = append(have.Categories, g.Categories[0])
	}
	return groups
}

// categoryOf returns the code of a scope that is constrained to one category that the page can name; "" for any other.
func categoryOf(s consent.Scope) string {
	value, ok := strings.CutPrefix(string(s.Constraint), "category=")
	if !ok || strings.ContainsAny(value, "&,") {
		return ""
	}
	plain, err := url.PathUnescape(value)
	system, code, ok := strings.Cut(plain, "|")
	if err != nil || !ok || system != systems()[s.Type] {
		return ""
	}
	return code
}

// Granted returns the scopes of a set that a person allows. offered are the groups of the page.
func Granted(set scopes.Set, offered []pages.Group, choice pages.Choice) scopes.Set {
	out := scopes.Set{Other: set.Other}
	if !choice.Allow {
		return scopes.Set{}
	}
	for _, s := range set.Resources {
		permissions := keepIf(s.Permissions, writing, slices.Contains(choice.Writes, s.Type))
		i := slices.IndexFunc(choice.Groups, func(g pages.Group) bool { return g.Type == s.Type })
		if i < 0 {
			out.Resources = with(out.Resources, s, keepIf(permissions, reading, false))
			continue
		}
		chosen := choice.Groups[i]
		j := slices.IndexFunc(offered, func(g pages.Group) bool { return g.Type == s.Type })
		if j >= 0 && len(chosen.Categories) < len(offered[j].Categories) {
			out.Resources = with(out.Resources, s, keepIf(permissions, reading, false))
			out.Resources = append(out.Resources, narrowed(s, chosen.Categories)...)
			continue
		}
		out.Resources = with(out.Resources, s, permissions)
	}
	if !choice.Offline {
		out = out.Without(scopes.OfflineAccess)
	}
	return out
}

// keepIf removes some permissions unless keep is set.
func keepIf(permissions, removed string, keep bool) string {
	if keep {
		return permissions
	}
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune(removed, c) {
			return -1
		}
		return c
	}, permissions)
}

// with adds a scope with some of its permissions; nothing for none.
func with(list consent.Scopes, s consent.Scope, permissions string) consent.Scopes {
	if s.Permissions = permissions; permissions == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// narrowed returns what a scope reads, limited to some categories, in the form of SMART 2 (SMART-213).
func narrowed(s consent.Scope, categories []string) consent.Scopes {
	permissions := keepIf(s.Permissions, writing, false)
	if permissions == "" {
		return nil
	}
	if s.Constraint != "" {
		if slices.Contains(categories, categoryOf(s)) {
			s.Permissions = permissions
			return consent.Scopes{s}
		}
		return nil
	}
	values := make([]string, len(categories))
	for i, code := range categories {
		values[i] = systems()[s.Type] + "|" + code
	}
	one, err := consent.ParseScope(s.Level+"/"+s.Type+"."+permissions+"?category="+strings.Join(values, ","), r4.IsResource)
	if err != nil {
		return nil // a type without the parameter has no categories on the page
	}
	return consent.Scopes{one}
}
