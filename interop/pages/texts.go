package pages

import (
	"maps"
	"slices"
	"strings"
)

// Texts is the page with every text of the pages in each language that is served, for those who write about an app (SMART-224).
type Texts struct {
	Version string
	Parts   []TextPart
}

// TextPart are the texts whose keys begin with the same word.
type TextPart struct {
	Name  string
	Texts []Text
}

// Text is a text in each language, the source first.
type Text struct {
	Key string
	In  []Translation
}

// Translation is a text in one language. A translation that nobody reviewed is served in a demonstration alone (SMART-223).
type Translation struct {
	Language, Text string
	Reviewed       bool
}

// Texts returns the page with the texts as the Renderer has them.
func (p *Renderer) Texts() Texts {
	source := p.languages[0]
	page := Texts{Version: source.Version}
	for _, key := range slices.Sorted(maps.Keys(source.Texts)) {
		name, _, _ := strings.Cut(key, ".")
		if n := len(page.Parts); n == 0 || page.Parts[n-1].Name != name {
			page.Parts = append(page.Parts, TextPart{Name: name})
		}
		one := Text{Key: key}
		for _, l := range p.languages {
			one.In = append(one.In, Translation{Language: l.Language, Text: l.Texts[key], Reviewed: l.Language == sourceLanguage || l.Reviewed[key] != ""})
		}
		part := &page.Parts[len(page.Parts)-1]
		part.Texts = append(part.Texts, one)
	}
	return page
}

func (Texts) name() string        { return "texts" }
func (Texts) problems() []problem { return nil }
