package pages

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// Consent asks a patient or proxy whether an app may see a record (SMART-211 to 218). It is computed from the request of
// the app and the catalogue alone, never from the record, so it reveals nothing about data (SMART-217).
type Consent struct {
	Action    string
	App       string
	Publisher string
	Reviewed  bool   // somebody reviewed the app
	Person    string // empty for no one in particular: what the reader, who is staff, may see
	NHSNumber string // as it is shown, masked (SMART-142)
	Self      bool   // the record is the reader's own
	Staff     bool   // the reader is staff, and nobody's record is the reader's to share
	Groups    []Group
	Writes    []string  // types that the app wants to write, or "*"; each with a text in the catalogue
	Offline   time.Time // the app wants access without the person until then; zero: it does not
	Identity  bool      // the app learns who signed in (scope openid)
	// StopPath is the path of the page Apps.
	StopPath string
	// Chosen is what the reader chose in a form that was refused; nil for a new page.
	Chosen *Choice
}

// Group is a data group that the app wants to read.
type Group struct {
	Type string // a type with a text in the catalogue, or "*"
	// Categories are what the reader may choose from: those of the catalogue for the type (Categories), or those that the
	// app asks for.
	Categories []string
	// Narrow says that the app asks for the categories and not for the whole type.
	Narrow bool
}

// Choice is the answer of the reader.
type Choice struct {
	Allow   bool
	Groups  []Group // what may be read. A group with categories and Narrow is these categories alone.
	Writes  []string
	Offline bool
}

// Empty reports whether nothing may be read or written. Allowing nothing is a refusal (SMART-212).
func (c Choice) Empty() bool { return !c.Allow || len(c.Groups) == 0 && len(c.Writes) == 0 }

// Answer reads the form that the page posts. The result has only what the page offered, whatever the form says; a form
// without a decision is a refusal.
func (p Consent) Answer(form url.Values) Choice {
	c := Choice{Allow: slices.Equal(form["decision"], []string{"allow"})}
	if !c.Allow {
		return c
	}
	for _, g := range p.Groups {
		if !slices.Contains(form["group"], g.Type) {
			continue
		}
		kept := slices.DeleteFunc(slices.Clone(g.Categories), func(category string) bool { return !slices.Contains(form["category"], g.Type+"|"+category) })
		if len(kept) == len(g.Categories) {
			c.Groups = append(c.Groups, g)
		} else if len(kept) > 0 {
			c.Groups = append(c.Groups, Group{Type: g.Type, Categories: kept, Narrow: true})
		}
	}
	for _, t := range p.Writes {
		if slices.Contains(form["write"], t) {
			c.Writes = append(c.Writes, t)
		}
	}
	c.Offline = !p.Offline.IsZero() && slices.Equal(form["offline"], []string{"yes"})
	return c
}

// ticked reports whether a box is ticked. At first all groups are, except the wildcard (SMART-215).
func (p Consent) ticked(g Group, category string) bool {
	if p.Chosen == nil {
		return g.Type != "*"
	}
	i := slices.IndexFunc(p.Chosen.Groups, func(c Group) bool { return c.Type == g.Type })
	return i >= 0 && (category == "" || slices.Contains(p.Chosen.Groups[i].Categories, category))
}

// Boxes returns the groups for the template.
func (p Consent) Boxes() []Box {
	var out []Box
	for _, g := range p.Groups {
		b := Box{Type: g.Type, ID: "group-" + boxID(g.Type), Ticked: p.ticked(g, ""), Key: g.Type, Wildcard: g.Type == "*"}
		if b.Wildcard {
			b.Key = "all"
		}
		for _, c := range g.Categories {
			b.Categories = append(b.Categories, Box{Type: g.Type + "|" + c, ID: "category-" + boxID(g.Type+"-"+c), Ticked: p.ticked(g, c), Key: g.Type + "." + c})
		}
		out = append(out, b)
	}
	return out
}

// OnlyEverything reports whether the one group is the wildcard, which is not ticked at first (SMART-215).
func (p Consent) OnlyEverything() bool { return len(p.Groups) == 1 && p.Groups[0].Type == "*" }

// WriteBoxes returns the boxes of writing for the template. They are not ticked at first (SMART-216).
func (p Consent) WriteBoxes() []Box {
	var out []Box
	for _, t := range p.Writes {
		b := Box{Type: t, ID: "write-" + boxID(t), Key: t, Ticked: p.Chosen != nil && slices.Contains(p.Chosen.Writes, t)}
		if t == "*" {
			b.Key, b.Wildcard = "all", true
		}
		out = append(out, b)
	}
	return out
}

// OfflineTicked reports whether the box of offline access is ticked.
func (p Consent) OfflineTicked() bool { return p.Chosen == nil || p.Chosen.Offline }

// Box is a check box of the consent page.
type Box struct {
	Type, ID         string
	Key              string // of its texts
	Ticked, Wildcard bool
	Categories       []Box
}

func boxID(value string) string { return strings.ReplaceAll(value, "*", "all") }

func (Consent) name() string { return "consent" }

func (p Consent) problems() []problem {
	if p.Chosen == nil {
		return nil
	}
	if boxes := append(p.Boxes(), p.WriteBoxes()...); len(boxes) > 0 {
		return []problem{{Text: "consent.problem", Field: boxes[0].ID}}
	}
	return nil
}
