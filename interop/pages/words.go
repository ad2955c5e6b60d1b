package pages

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// functions returns the functions of the templates for one language:
//
//	t KEY NAME VALUE …   the text with a key, and values for its placeholders
//	word VALUE           a value from outside, without control letters
//	date VALUE           a FHIR date or an instant, in words
//	clock VALUE          the time of day of an instant
//	parts NAME           the parts of a technical name, between which a line may break
func (l language) functions() template.FuncMap {
	return template.FuncMap{"t": l.fill, "word": word, "date": l.date, "clock": clock, "parts": parts}
}

// fill returns a text. It returns an error for a key that does not exist and for values that do not fit the placeholders.
func (l language) fill(key string, args ...any) (string, error) {
	t, ok := l.parsed[key]
	if !ok {
		return "", fmt.Errorf("no text %q in %s", key, l.Language)
	}
	values := map[string]any{}
	for i := 0; i+1 < len(args); i += 2 {
		values[fmt.Sprint(args[i])] = args[i+1]
	}
	if len(values) != len(t.placeholders()) {
		return "", fmt.Errorf("text %q: got %d values for %d placeholders", key, len(values), len(t.placeholders()))
	}
	var b strings.Builder
	for _, p := range t {
		if p.kind == "" {
			b.WriteString(p.literal)
			continue
		}
		switch v := values[p.literal].(type) {
		case string:
			if p.kind != "text" {
				return "", fmt.Errorf("text %q: %s is not a %s", key, p.literal, p.kind)
			}
			b.WriteString(word(v))
		case time.Time:
			if p.kind != "date" {
				return "", fmt.Errorf("text %q: %s is not a %s", key, p.literal, p.kind)
			}
			b.WriteString(l.day(v))
		case int:
			if p.kind != "number" {
				return "", fmt.Errorf("text %q: %s is not a %s", key, p.literal, p.kind)
			}
			b.WriteString(strconv.Itoa(v))
		default:
			return "", fmt.Errorf("text %q: no value for %s", key, p.literal)
		}
	}
	return b.String(), nil
}

// word returns a value from outside without letters that change the text around it: controls, line breaks and marks of
// the writing direction. The joiners stay, which some scripts need within a name. html/template escapes the rest
// (SMART-168).
func word(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d', r == unicode.ReplacementChar, r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, s)
}

// date returns a FHIR date or an instant in words. What is not a date is returned as it is.
func (l language) date(v any) string {
	switch v := v.(type) {
	case time.Time:
		return l.day(v)
	case string:
		if t, err := time.Parse(time.DateOnly, v); err == nil {
			return l.day(t)
		}
		if t, err := time.Parse("2006-01", v); err == nil {
			return l.Months[t.Month()-1] + " " + strconv.Itoa(t.Year())
		}
		return word(v)
	default:
		return ""
	}
}

func (l language) day(t time.Time) string {
	return strconv.Itoa(t.Day()) + " " + l.Months[t.Month()-1] + " " + strconv.Itoa(t.Year())
}

func clock(t time.Time) string { return t.UTC().Format("15:04 UTC") }

// parts splits a technical name after each underscore and dot: an element wbr between them keeps a narrow column from breaking it inside a
// word.
func parts(name string) (out []string) {
	begin := 0
	for i, r := range name {
		if r == '_' || r == '.' {
			out, begin = append(out, name[begin:i+1]), i+1
		}
	}
	return append(out, name[begin:])
}
