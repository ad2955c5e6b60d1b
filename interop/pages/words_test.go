package pages

import (
	"testing"
	"time"
	"unicode"
)

// FuzzWord: a value from outside has no control letter and no mark of the writing direction, and is cleaned once.
func FuzzWord(f *testing.F) {
	for _, s := range []string{"Ann", "a\u202eb", "a\r\nb", "\x00", "\u200f\u2066", "नेपाल\u200d", "\xff", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := word(s)
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
				t.Errorf("%q becomes %q", s, got)
			}
		}
		if word(got) != got {
			t.Errorf("%q becomes %q and then %q", s, got, word(got))
		}
	})
}

// TestTexts: placeholders have kinds, and a value of another kind, a missing value and one too many are errors.
func TestTexts(t *testing.T) {
	l := language{Language: "en", Months: []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}, parsed: map[string]text{}}
	for key, s := range map[string]string{"plain": "Hello", "all": "{app:text} has {count:number} until {until:date}.", "twice": "{app:text}, {app:text}"} {
		parsed, err := parseText(s)
		if err != nil {
			t.Fatal(err)
		}
		l.parsed[key] = parsed
	}
	day := time.Date(2026, 11, 30, 23, 59, 0, 0, time.UTC)
	for _, c := range []struct {
		key  string
		args []any
		want string // empty: an error
	}{
		{"plain", nil, "Hello"},
		{"all", []any{"app", "Di\u202eary", "count", 3, "until", day}, "Diary has 3 until 30 November 2026."},
		{"twice", []any{"app", "A"}, "A, A"},
		{"missing", nil, ""},
		{"plain", []any{"app", "A"}, ""},
		{"all", []any{"app", "A", "count", 3}, ""},
		{"all", []any{"app", 3, "count", 3, "until", day}, ""},
		{"all", []any{"app", "A", "count", "3", "until", day}, ""},
		{"all", []any{"app", "A", "count", 3, "until", "tomorrow"}, ""},
		{"all", []any{"app", day, "count", 3, "until", day}, ""},
		{"twice", []any{"other", "A"}, ""},
	} {
		if got, err := l.fill(c.key, c.args...); got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s %v: got %q, %v, want %q", c.key, c.args, got, err, c.want)
		}
	}
	for _, bad := range []string{"{app}", "{app:name}", "{App:text}", "a } b", "{app:text"} {
		if _, err := parseText(bad); err == nil {
			t.Errorf("the text %q is accepted", bad)
		}
	}
	for value, want := range map[any]string{"1980-03-31": "31 March 1980", "1980-03": "March 1980", "1980": "1980", "about 1980": "about 1980", day: "30 November 2026", 3: ""} {
		if got := l.date(value); got != want {
			t.Errorf("date %v: got %q, want %q", value, got, want)
		}
	}
}

// TestTranslations: a translation lacks nothing of the source and adds nothing, and is served to the public when each text
// has a mark.
func TestTranslations(t *testing.T) {
	all, err := readCatalogues()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].Language != "en" || all[1].Language != "cy" || !all[0].reviewed() || all[1].reviewed() {
		t.Errorf("the languages are %d, the first is %s", len(all), all[0].Language)
	}
	source := func() language { return parsedTexts(t, map[string]string{"a": "{app:text}", "b": "B"}) }
	for name, c := range map[string]struct {
		texts map[string]string
		ok    bool
	}{
		"equal":                 {map[string]string{"a": "X {app:text}", "b": "Y"}, true},
		"a text is missing":     {map[string]string{"a": "{app:text}"}, false},
		"a text more":           {map[string]string{"a": "{app:text}", "b": "B", "c": "C"}, false},
		"another placeholder":   {map[string]string{"a": "{name:text}", "b": "B"}, false},
		"another kind":          {map[string]string{"a": "{app:date}", "b": "B"}, false},
		"a placeholder is gone": {map[string]string{"a": "A", "b": "B"}, false},
	} {
		if err := parsedTexts(t, c.texts).matches(source()); (err == nil) != c.ok {
			t.Errorf("%s: got %v, want accepted: %v", name, err, c.ok)
		}
	}
	l := language{Language: "cy", Texts: map[string]string{"a": "A", "b": "B"}, Reviewed: map[string]string{"a": "N. N., 2026-11-30"}}
	if l.reviewed() {
		t.Error("a language with a text without a mark is served")
	}
	if l.Reviewed["b"] = "N. N., 2026-11-30"; !l.reviewed() {
		t.Error("a language with all marks is not served")
	}
}

func parsedTexts(t *testing.T, texts map[string]string) language {
	t.Helper()
	l := language{parsed: map[string]text{}}
	for key, s := range texts {
		parsed, err := parseText(s)
		if err != nil {
			t.Fatal(err)
		}
		l.parsed[key] = parsed
	}
	return l
}
