package pages_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"carerecord/interop/pages"
)

// document is a parsed page.
type document struct {
	*testing.T
	elements []*html.Node
}

func parse(t *testing.T, page string) document {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	d := document{T: t}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			d.elements = append(d.elements, n)
		}
	}
	return d
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// text returns the text of an element.
func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func inside(n *html.Node, name string) *html.Node {
	for a := range n.Ancestors() {
		if a.Data == name {
			return a
		}
	}
	return nil
}

func (d document) all(name string) []*html.Node {
	return slices.DeleteFunc(slices.Clone(d.elements), func(n *html.Node) bool { return n.Data != name })
}

// byID returns the element of an id, or nil. Ids that are repeated are errors.
func (d document) byID(id string) *html.Node {
	d.Helper()
	var found *html.Node
	for _, n := range d.elements {
		if id != "" && attribute(n, "id") == id {
			if found != nil {
				d.Errorf("the id %q is repeated", id)
			}
			found = n
		}
	}
	return found
}

// checkSafe: no scripts, no inline styles, no addresses on other hosts, and no images but logos of apps, which stand beside the names
// and so have no text (SMART-067, 167, SMART-T22).
func (d document) checkSafe() {
	d.Helper()
	for _, n := range d.elements {
		if n.Data == "img" && (!strings.HasPrefix(attribute(n, "src"), "/pages/logos/") || !has(n, "alt") || attribute(n, "alt") != "" || text(n.Parent) == "") {
			d.Errorf("SMART-067: the image %q is no logo beside a name", attribute(n, "src"))
		}
		if slices.Contains([]string{"script", "style", "iframe", "object", "embed", "base", "svg", "video", "audio", "template", "noscript"}, n.Data) {
			d.Errorf("SMART-167: the page has an element %s", n.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || a.Key == "srcset" || a.Key == "target" || a.Key == "autofocus" || a.Key == "formaction" {
				d.Errorf("SMART-167: an element %s has the attribute %s", n.Data, a.Key)
			}
			if n.Data == "a" && strings.HasPrefix(a.Val, "http://localhost:8080/") {
				continue // the page of a demonstration leads to its examples
			}
			if slices.Contains([]string{"href", "src", "action"}, a.Key) && (!strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") || strings.HasPrefix(a.Val, "//")) {
				d.Errorf("SMART-167: %s of %s leads to %q", a.Key, n.Data, a.Val)
			}
		}
		if n.Data == "meta" && has(n, "http-equiv") {
			d.Error("the page has a header in its text")
		}
	}
}

// checkAccessible: what WCAG 2.2 demands of the structure: language, title, one h1, headings in order, the link to the
// content, names of all controls, groups of choices, descriptions that exist.
func (d document) checkAccessible(language string) {
	d.Helper()
	if got := attribute(d.all("html")[0], "lang"); got != language {
		d.Errorf("lang is %q, want %q", got, language)
	}
	if len(d.all("h1")) != 1 || text(d.all("h1")[0]) == "" || len(d.all("title")) != 1 || text(d.all("title")[0]) == "" || len(d.all("main")) != 1 {
		d.Error("the page has not one title, one main element and one h1")
	}
	level := 0
	for _, n := range d.elements {
		if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
			next := int(n.Data[1] - '0')
			if next > level+1 && level > 0 || text(n) == "" {
				d.Errorf("the heading %q follows one of level %d", text(n), level)
			}
			level = next
		}
	}
	skip := d.all("a")[0]
	if target := d.byID(strings.TrimPrefix(attribute(skip, "href"), "#")); target == nil || target.Data != "main" {
		d.Error("the first link does not lead to the content")
	}
	for _, n := range d.elements {
		for _, id := range strings.Fields(attribute(n, "aria-describedby") + " " + attribute(n, "aria-labelledby")) {
			if d.byID(id) == nil {
				d.Errorf("the description %q of an element %s does not exist", id, n.Data)
			}
		}
		switch n.Data {
		case "input":
			d.checkInput(n)
		case "button", "a", "legend", "label":
			if text(n) == "" {
				d.Errorf("an element %s has no text", n.Data)
			}
		case "fieldset":
			if c := firstElement(n); c == nil || c.Data != "legend" {
				d.Error("a fieldset has no legend")
			}
		case "form":
			d.checkForm(n)
		}
	}
}

func firstElement(n *html.Node) *html.Node {
	for c := range n.ChildNodes() {
		if c.Type == html.ElementNode {
			return c
		}
	}
	return nil
}

func (d document) checkInput(n *html.Node) {
	d.Helper()
	kind := attribute(n, "type")
	if kind == "hidden" {
		return
	}
	id := attribute(n, "id")
	labels := slices.DeleteFunc(d.all("label"), func(l *html.Node) bool { return attribute(l, "for") != id })
	if d.byID(id) != n || len(labels) != 1 {
		d.Errorf("the input %q has %d labels, want one", id, len(labels))
	}
	if (kind == "radio" || kind == "checkbox") && inside(n, "fieldset") == nil {
		d.Errorf("the choice %q is not in a group", id)
	}
}

func (d document) checkForm(form *html.Node) {
	d.Helper()
	values, buttons := 0, 0
	for n := range form.Descendants() {
		if n.Data == "input" && attribute(n, "name") == "csrf" && attribute(n, "value") != "" {
			values++
		}
		if n.Data == "button" && attribute(n, "type") == "submit" {
			buttons++
		}
	}
	if attribute(form, "method") != "post" || attribute(form, "action") == "" || values != 1 || buttons == 0 {
		d.Errorf("the form %q has method %q, %d CSRF values and %d buttons", attribute(form, "action"), attribute(form, "method"), values, buttons)
	}
}

// checkProblems: a page with a mistake has a summary first, with links to the fields, and says so in its title.
func (d document) checkProblems(wrong bool, prefix string) {
	d.Helper()
	var links []*html.Node
	for _, n := range d.elements {
		if n.Data == "a" {
			if div := inside(n, "div"); div != nil && attribute(div, "class") == "nhsuk-error-summary__body" {
				links = append(links, n)
			}
		}
	}
	if wrong != (len(links) > 0) || wrong != strings.HasPrefix(text(d.all("title")[0]), prefix) {
		d.Errorf("the page has %d links in a summary and the title %q, want a mistake: %v", len(links), text(d.all("title")[0]), wrong)
	}
	for _, l := range links {
		if field := d.byID(strings.TrimPrefix(attribute(l, "href"), "#")); field == nil || field.Data != "input" {
			d.Errorf("the summary leads to %q, which is no field", attribute(l, "href"))
		}
	}
}

// TestEveryPage checks each page in each state and both languages: nothing active and nothing from other hosts (SMART-167,
// SMART-T22), and the structure that people with a keyboard or a screen reader need.
func TestEveryPage(t *testing.T) {
	p, _ := renderer(t, true)
	for _, s := range states() {
		for _, language := range []string{"en", "cy"} {
			t.Run(s.name+"/"+language, func(t *testing.T) {
				d := parse(t, render(t, p, language, s.page, s.options).Body.String())
				d.checkSafe()
				d.checkAccessible(language)
				wrong := strings.HasSuffix(s.name, "-unanswered") || strings.HasPrefix(s.name, "patient-search-") || s.name == "consent-nothing" || s.name == "consent-kept"
				d.checkProblems(wrong, map[string]string{"en": "Error:", "cy": "Gwall:"}[language])
			})
		}
	}
}

// TestTemplatesHaveNoScripts: no template and no style has code, or a way to talk to other windows (SMART-T22).
func TestTemplatesHaveNoScripts(t *testing.T) {
	for _, name := range []string{"layout", "parts", "error", "sign-in", "role-choice", "record-choice", "patient-search", "patient-choice", "encounter-choice", "refusal", "consent", "apps", "reminder", "sessions", "choices", "signed-out", "home", "sample-people", "browse"} {
		source := read(t, "templates/"+name+".html")
		for _, word := range []string{"<script", "postMessage", "window.", "opener", "addEventListener", "javascript:", "http:", "https:", "style=", "safeHTML"} {
			if strings.Contains(source, word) {
				t.Errorf("SMART-T22: the template %s has %q", name, word)
			}
		}
	}
	style := read(t, "assets/pages.css")
	for _, word := range []string{"url(", "@import", "@font-face", "http:", "https:", "expression("} {
		if strings.Contains(style, word) {
			t.Errorf("SMART-167: the style has %q", word)
		}
	}
}

// hostile is a text that tries to leave its place in the page.
const hostile = "</title></textarea><script>alert(1)</script><img src=x onerror=alert(1)>\" onfocus='x' {{.}} \u202eevil\u2066\r\nSet-Cookie: a=b\x00\u200f"

// TestHostileTexts: names from outside stay texts: no element, attribute or header comes from them, and no control or
// direction mark (SMART-168).
func TestHostileTexts(t *testing.T) {
	p, _ := renderer(t, true)
	h := hostile
	for i, page := range []pages.Page{
		pages.Error{Kind: pages.BadRequest, Reference: h},
		pages.SignIn{Action: "/a", App: h, Kinds: []pages.SignInKind{{Value: h, Text: pages.PersonPatient}}},
		pages.RoleChoice{Action: "/a", Person: h, Roles: []pages.Role{{Value: h, Name: h, Organisation: h}}},
		pages.RecordChoice{Action: "/a", App: h, People: []pages.Record{{Value: h, Name: h}}},
		pages.PatientSearch{Action: "/a", App: h, Number: h, Family: h, Day: h, Month: h, Year: h},
		pages.PatientChoice{Action: "/a", People: []pages.Candidate{{Value: h, Name: h, BirthDate: h, NHSNumber: h}}},
		pages.EncounterChoice{Action: "/a", App: h, List: []pages.Encounter{{Value: h, Start: h, Name: h, State: h}}},
		pages.Refusal{Action: "/a", App: h, Reason: pages.NoRecord},
		pages.Consent{Action: "/a", App: h, Publisher: h, Person: h, NHSNumber: h, Identity: true, Groups: []pages.Group{{Type: "Patient"}}},
		pages.Back{App: h, Path: "/a"},
		pages.Apps{Action: "/a", Stopped: h, List: []pages.App{{Value: h, Name: h, Publisher: h, Person: h}}},
		pages.Reminder{Action: "/a", List: []pages.App{{Value: h, Name: h, Publisher: h, Person: h}}},
		pages.SessionList{Action: "/a", List: []pages.BrowserSession{{Value: h}}},
		pages.Home{People: []pages.HomePerson{{Name: h, Role: h, Organisation: h}}, Clients: []pages.HomeClient{{ID: h, Name: h, Kind: h, Scopes: h}}, Requests: []pages.HomeRequest{{Text: h, Path: "/fhir?x=" + h}}},
		pages.Browse{Path: h, Status: 200, Text: h, Tree: []pages.BrowseNode{{Name: h, Text: h, Folds: true, Children: []pages.BrowseNode{{Name: h, Text: h}}}}},
		pages.SamplePeople{Action: "/a", Kind: pages.PersonStaff, People: []pages.SamplePerson{{Value: h, Name: h, Detail: h}}},
	} {
		t.Run(fmt.Sprintf("%d %T", i, page), func(t *testing.T) {
			w := render(t, p, "en", page, pages.Options{Account: h, SignOut: "/sign-out", Transaction: h, Binding: h})
			d := parse(t, w.Body.String())
			d.checkSafe()
			d.checkAccessible("en")
			for _, n := range d.elements {
				if n.Data == "textarea" || strings.ContainsAny(text(n), "\u202e\u2066\u200f\x00") {
					t.Errorf("SMART-168: an element %s comes from the text, or has a mark of it", n.Data)
				}
			}
			for name, values := range w.Header() {
				if strings.Contains(strings.Join(values, " "), "evil") {
					t.Errorf("SMART-168: the header %s has the text", name)
				}
			}
		})
	}
}
