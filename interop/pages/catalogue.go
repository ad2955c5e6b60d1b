package pages

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

//go:embed texts/*.json
var textFiles embed.FS

// sourceLanguage is the language in which the texts are written first. The others are translations of it.
const sourceLanguage = "en"

// language is the catalogue of one language, read from texts.
type language struct {
	Language string            `json:"language"` // BCP 47
	Name     string            `json:"name"`     // in the language itself
	Version  string            `json:"version"`
	Months   []string          `json:"months"`
	Texts    map[string]string `json:"texts"`
	// Reviewed says for each text who checked the translation and when. A translation without a mark is served in a
	// demonstration alone.
	Reviewed map[string]string `json:"reviewed"`
	parsed   map[string]text
}

// reviewed reports whether a language may be served to the public: it is the source, or each text has a mark. A page
// never mixes languages, so one text without a mark keeps the whole language back.
func (l language) reviewed() bool {
	if l.Language == sourceLanguage {
		return true
	}
	for key := range l.Texts {
		if l.Reviewed[key] == "" {
			return false
		}
	}
	return true
}

// text is a parsed text: literal pieces and placeholders in turn. A piece with a kind is a placeholder.
type text []piece

type piece struct {
	literal string // or the name of the placeholder
	kind    string // text, date or number; empty for a literal
}

var placeholder = regexp.MustCompile(`\{([a-z]+):(text|date|number)\}`)

func parseText(s string) (text, error) {
	var out text
	end := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(s, -1) {
		out = append(out, piece{literal: s[end:m[0]]}, piece{literal: s[m[2]:m[3]], kind: s[m[4]:m[5]]})
		end = m[1]
	}
	out = append(out, piece{literal: s[end:]})
	for _, p := range out {
		if p.kind == "" && strings.ContainsAny(p.literal, "{}") {
			return nil, fmt.Errorf("%q has a brace that is not of a placeholder {name:kind}", s)
		}
	}
	return out, nil
}

// placeholders returns the placeholders of a text in the order of their names.
func (t text) placeholders() []piece {
	out := slices.DeleteFunc(slices.Clone(t), func(p piece) bool { return p.kind == "" })
	slices.SortFunc(out, func(a, b piece) int { return strings.Compare(a.literal+" "+a.kind, b.literal+" "+b.kind) })
	return slices.Compact(out)
}

// readCatalogues reads all languages, the source first. It returns an error if one has other texts or placeholders than
// the source.
func readCatalogues() ([]language, error) {
	files, err := textFiles.ReadDir("texts")
	if err != nil {
		return nil, fmt.Errorf("list catalogues: %w", err)
	}
	var out []language
	for _, f := range files {
		raw, err := textFiles.ReadFile("texts/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("read catalogue: %w", err)
		}
		l := language{parsed: map[string]text{}}
		if err := json.Unmarshal(raw, &l); err != nil {
			return nil, fmt.Errorf("read catalogue %s: %w", f.Name(), err)
		}
		for key, s := range l.Texts {
			if l.parsed[key], err = parseText(s); err != nil || s == "" {
				return nil, fmt.Errorf("catalogue %s: text %s: %q is empty or wrong: %w", f.Name(), key, s, err)
			}
		}
		if len(l.Months) != 12 || l.Name == "" || l.Version == "" {
			return nil, fmt.Errorf("catalogue %s: name, version and twelve months are required", f.Name())
		}
		out = append(out, l)
	}
	slices.SortStableFunc(out, func(a, b language) int { return rank(a) - rank(b) })
	for _, l := range out[1:] {
		if err := l.matches(out[0]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func rank(l language) int {
	if l.Language == sourceLanguage {
		return 0
	}
	return 1
}

// matches reports whether a language has the texts of the source, with the same placeholders.
func (l language) matches(source language) error {
	for _, key := range slices.Sorted(maps.Keys(source.parsed)) {
		if t, ok := l.parsed[key]; !ok || !slices.Equal(t.placeholders(), source.parsed[key].placeholders()) {
			return fmt.Errorf("catalogue %s: text %s is missing or has other placeholders than in %s", l.Language, key, source.Language)
		}
	}
	if len(l.parsed) != len(source.parsed) || l.Version != source.Version {
		return fmt.Errorf("catalogue %s has a text or a version that %s does not have", l.Language, source.Language)
	}
	return nil
}
