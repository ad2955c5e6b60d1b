package smart

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/interop/smart"
	"carerecord/interop/smart/oauth"
)

// constants returns the values of the text constants in a file that match.
func constants(t *testing.T, file string, matches *regexp.Regexp) (out []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for _, v := range spec.Values {
			if literal, ok := v.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil && matches.MatchString(text) {
					out = append(out, text)
				}
			}
		}
		return true
	})
	return out
}

// TestErrorCodesAreListed: the lists from which the page for developers is made have every error code of the sources, and every refusal of an
// OAuth endpoint and each WWW-Authenticate has one of them, so that no code is without a line (SMART-010).
func TestErrorCodesAreListed(t *testing.T) {
	const root = "../../"
	oauthCode, reason := regexp.MustCompile(`^[a-z]+(_[a-z]+)+$`), regexp.MustCompile(`^[A-Z]+(_[A-Z]+)+$`)
	for name, c := range map[string]struct {
		files  []string
		code   *regexp.Regexp
		listed []string
	}{
		"oauth.Codes":   {[]string{"interop/smart/oauth/error.go"}, oauthCode, oauth.Codes()},
		"consent.Codes": {[]string{"consent/decide.go", "consent/unavailable.go"}, reason, consent.Codes()},
	} {
		var found []string
		for _, file := range c.files {
			found = append(found, constants(t, root+file, c.code)...)
		}
		slices.Sort(found)
		listed := slices.Sorted(slices.Values(c.listed))
		if !slices.Equal(found, listed) {
			t.Errorf("SMART-010: %s has %v, and the sources have %v", name, listed, found)
		}
	}
	header := regexp.MustCompile(`error="([a-z_]+)"`) // of WWW-Authenticate
	written := regexp.MustCompile(`oauth\.Error\{[^}]*Code: *"|oauth\.Refuse\("`)
	coding := regexp.MustCompile(`Detail(:| =) fhir\.Coding\{System: [^,]*, Code: "[A-Z]`)
	for _, folder := range []string{"interop/smart", "consent", "fhir", "cmd"} {
		err := filepath.WalkDir(root+folder, func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			if written.Match(source) || coding.Match(source) {
				t.Errorf("SMART-010: %s has a code that is not a constant of the list", path)
			}
			for _, match := range header.FindAllSubmatch(source, -1) {
				if code := string(match[1]); !slices.Contains(oauth.Codes(), code) {
					t.Errorf("SMART-010: %s sends the code %s, which is not in the list", path, code)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestPublishedTexts: the page of the texts has each text of the catalogue in both languages, as it is in the files, and marks the
// translations that nobody has reviewed (SMART-223, 224).
func TestPublishedTexts(t *testing.T) {
	w := newWorld(t, nil, 1)
	page := read(w.do(w.request("GET", site+smart.TextsPath, "")))
	page.text = strings.ReplaceAll(page.text, "<wbr>", "") // long names may break
	if page.code != 200 || !strings.Contains(read(w.do(w.request("GET", site+smart.DevelopersPath, ""))).text, `href="`+smart.TextsPath+`"`) {
		t.Fatalf("SMART-224: got %d", page.code)
	}
	page.text = strings.ReplaceAll(page.text, "<wbr>", "") // where a line may break
	unreviewed := 0
	for _, language := range []string{"en", "cy"} {
		raw, err := os.ReadFile("../../interop/pages/texts/" + language + ".json")
		w.must(err)
		var catalogue struct{ Texts, Reviewed map[string]string }
		w.must(json.Unmarshal(raw, &catalogue))
		for key, text := range catalogue.Texts {
			_, row, found := strings.Cut(page.text, "<code>"+key+"</code>")
			row, _, _ = strings.Cut(row, "</dd>")
			if !found || !strings.Contains(html.UnescapeString(row), `<p lang="`+language+`">`+text+`</p>`) {
				t.Errorf("SMART-224: the page does not have the text %s in %s", key, language)
			}
			if language == "cy" && catalogue.Reviewed[key] == "" {
				unreviewed++
			}
			if code, ok := strings.CutPrefix(key, "developers.error."); ok && !slices.Contains(oauth.Codes(), code) {
				t.Errorf("SMART-010: there is a line for %s, which is no code", code)
			}
			if code, ok := strings.CutPrefix(key, "developers.outcome."); ok && !slices.Contains(consent.Codes(), code) {
				t.Errorf("SMART-010: there is a line for %s, which is no code", code)
			}
		}
	}
	if got := strings.Count(page.text, `class="cr-note"`); got != unreviewed {
		t.Errorf("SMART-223: got %d marks of translations without a review, want %d", got, unreviewed)
	}
	if got := read(w.do(w.request("POST", site+smart.TextsPath, ""))); got.code != 405 {
		t.Errorf("POST: got %d", got.code)
	}
}
