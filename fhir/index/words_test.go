package index_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"carerecord/fhir/index"
	"carerecord/store"
)

func newWordIndexer(t testing.TB) *index.Indexer {
	t.Helper()
	x, err := index.New(index.Config{Base: base, IndexWords: true})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func wordKeys(t testing.TB, x *index.Indexer, body string) []store.Key {
	t.Helper()
	row, err := x.Index("Condition", "c", now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return row.Keys
}

func asksWords(t testing.TB, x *index.Indexer, name, value string) store.Pred {
	t.Helper()
	p, err := x.Predicate(index.Query{Type: "Condition", Name: name, Values: []string{strings.NewReplacer(`\`, `\\`, ",", `\,`, "|", `\|`, "$", `\$`).Replace(value)}})
	if err != nil {
		t.Fatalf("%s=%s: %v", name, value, err)
	}
	return p
}

// quoted is a JSON string.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string
	}
	return string(b)
}

// A random query of words means what its operators mean of the words that a text was
// made of, whatever punctuation and case stand around them (SRCH-157).
func TestWordQueries(t *testing.T) {
	x := newWordIndexer(t)
	vocabulary := []string{"asthma", "cough", "Crohn's", "Ödem", "120", "liver", "cafe\u0301", "smoker"}
	separators := []string{" ", ", ", ".", "/", "-", "\n", " (", ") ", "; "}
	hits := 0
	rapid.Check(t, func(t *rapid.T) {
		has := map[string]bool{}
		var text strings.Builder
		for range rapid.IntRange(0, 5).Draw(t, "length") {
			word := rapid.SampledFrom(vocabulary).Draw(t, "word")
			has[word] = true
			if rapid.Bool().Draw(t, "large") {
				word = strings.ToUpper(word)
			}
			text.WriteString(word + rapid.SampledFrom(separators).Draw(t, "separator"))
		}
		row, err := x.Index("Condition", "c", now, fmt.Appendf(nil, `{"resourceType":"Condition","subject":{"reference":"Patient/p"},"note":[{"text":%s}]}`, quoted(text.String()+"|")))
		if err != nil {
			t.Fatal(err)
		}
		query, want := drawWords(t, vocabulary, has, 3)
		pred, err := x.Predicate(index.Query{Type: "Condition", Name: "_content", Values: []string{query}})
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if want {
			hits++
		}
		if got := store.Match(pred, row.Keys); got != want {
			t.Fatalf("%s on %q: got %v, want %v", query, text.String(), got, want)
		}
	})
	if hits == 0 {
		t.Error("nothing was ever found")
	}
}

// drawWords makes a query and says what it means of a set of words.
func drawWords(t *rapid.T, vocabulary []string, has map[string]bool, deep int) (string, bool) {
	if deep == 0 {
		word := rapid.SampledFrom(vocabulary).Draw(t, "asked")
		return word, has[word]
	}
	left, l := drawWords(t, vocabulary, has, deep-1)
	switch rapid.IntRange(0, 4).Draw(t, "operator") {
	case 0:
		right, r := drawWords(t, vocabulary, has, deep-1)
		return "(" + left + " or " + right + ")", l || r
	case 1:
		right, r := drawWords(t, vocabulary, has, deep-1)
		return "(" + left + " AND " + right + ")", l && r
	case 2:
		right, r := drawWords(t, vocabulary, has, deep-1)
		return "(" + left + "  " + right + ")", l && r
	case 3:
		return "NOT (" + left + ")", !l
	}
	return left, l
}

// Without brackets NOT binds before AND, and AND before OR.
func TestWordPrecedence(t *testing.T) {
	x := newWordIndexer(t)
	for _, c := range []struct{ query, same string }{
		{"a OR b AND c", "a OR (b AND c)"},
		{"a b OR c", "(a AND b) OR c"},
		{"NOT a b", "(NOT a) AND b"},
		{"NOT a OR b", "(NOT a) OR b"},
		{"a-b", "a AND b"},
	} {
		plain, same := asksWords(t, x, "_text", c.query), asksWords(t, x, "_text", c.same)
		for n := range 8 {
			var words []string
			for i, w := range []string{"a", "b", "c"} {
				if n>>i&1 == 1 {
					words = append(words, w)
				}
			}
			keys := wordKeys(t, x, `{"resourceType":"Condition","text":{"status":"generated","div":`+quoted(`<div xmlns="http://www.w3.org/1999/xhtml">`+strings.Join(words, " ")+"</div>")+`}}`)
			if got, want := store.Match(plain, keys), store.Match(same, keys); got != want {
				t.Errorf("%s on %v: got %v, but %s is %v", c.query, words, got, c.same, want)
			}
		}
	}
}

// A cut leaves the words of everything else, and what is found after it was proposed
// before it (CON-1207).
func TestWordsOfACut(t *testing.T) {
	x := newWordIndexer(t)
	rapid.Check(t, func(t *rapid.T) {
		vocabulary := []string{"a", "b", "c"}
		note := func() string {
			return fmt.Sprintf(`{"text":"%s"}`, strings.Join(rapid.SliceOfN(rapid.SampledFrom(vocabulary), 1, 3).Draw(t, "words"), " "))
		}
		first, second := note(), note()
		index2 := func(notes string) []store.Key {
			row, err := x.Index("Condition", "c", now, []byte(`{"resourceType":"Condition","note":[`+notes+`]}`))
			if err != nil {
				t.Fatal(err)
			}
			return row.Keys
		}
		whole, cut := index2(first+","+second), index2(first)
		query, _ := drawWords(t, vocabulary, nil, 3)
		pred, err := x.Predicate(index.Query{Type: "Condition", Name: "_content", Values: []string{query}})
		if err != nil {
			t.Fatal(err)
		}
		if store.Match(pred, cut) && !store.Match(x.BeforeCut("Condition", pred), whole) {
			t.Fatalf("%s is found in %s and not proposed by %s,%s", query, first, first, second)
		}
	})
}

// What is one word of a text is found by it, whatever bytes it is made of and however
// long it is; a narrative that is no XHTML makes no fault.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"", "a b", "½ cup", "ﬁne", strings.Repeat("é", 100), "<p>a", "&nope;", "a\u00adb", "l'été", "İstanbul", "ẞ"} {
		f.Add(s)
	}
	x := newWordIndexer(f)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsRune(text, 0) || !json.Valid([]byte(quoted(text))) {
			t.Skip()
		}
		text = strings.ToValidUTF8(text, "?")
		keys := wordKeys(t, x, `{"resourceType":"Condition","text":{"status":"generated","div":`+quoted(text)+`},"note":[{"text":`+quoted(text)+`}]}`)
		for word := range strings.FieldsSeq(text) {
			pred, err := x.Predicate(index.Query{Type: "Condition", Name: "_content", Values: []string{strings.NewReplacer(`\`, `\\`, ",", `\,`, "|", `\|`, "$", `\$`).Replace(word)}})
			if err != nil {
				continue // an operator, a bracket, or no word
			}
			if !strings.ContainsAny(word, "()") && !strings.EqualFold(word, "not") && !store.Match(pred, keys) {
				t.Errorf("%q is not found by its word %q", text, word)
			}
		}
	})
}
