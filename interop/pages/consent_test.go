package pages_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carerecord/interop/pages"
)

func consentPage() pages.Consent {
	return pages.Consent{
		Action: "/oauth/consent", App: "Diary", Publisher: "Diary Ltd", Person: "Ann Example", Self: true, Writes: []string{"Observation"}, Offline: time.Date(2027, 11, 30, 0, 0, 0, 0, time.UTC),
		Groups: []pages.Group{{Type: "Patient"}, {Type: "Observation", Categories: []string{"laboratory", "vital-signs"}}, {Type: "Condition", Categories: []string{"health-concern"}, Narrow: true}, {Type: "*"}},
	}
}

// TestAnswer: the answer has what is ticked, and never more than the page offered.
func TestAnswer(t *testing.T) {
	p := consentPage()
	observation := p.Groups[1]
	for name, c := range map[string]struct {
		form url.Values
		want pages.Choice
	}{
		"no decision":        {url.Values{"group": {"Patient"}}, pages.Choice{}},
		"refused":            {url.Values{"group": {"Patient"}, "decision": {"refuse"}}, pages.Choice{}},
		"both decisions":     {url.Values{"group": {"Patient"}, "decision": {"allow", "refuse"}}, pages.Choice{}},
		"nothing ticked":     {url.Values{"decision": {"allow"}}, pages.Choice{Allow: true}},
		"one group":          {url.Values{"decision": {"allow"}, "group": {"Patient"}}, pages.Choice{Allow: true, Groups: []pages.Group{{Type: "Patient"}}}},
		"all categories":     {url.Values{"decision": {"allow"}, "group": {"Observation"}, "category": {"Observation|laboratory", "Observation|vital-signs"}}, pages.Choice{Allow: true, Groups: []pages.Group{observation}}},
		"one category":       {url.Values{"decision": {"allow"}, "group": {"Observation"}, "category": {"Observation|laboratory"}}, pages.Choice{Allow: true, Groups: []pages.Group{{Type: "Observation", Categories: []string{"laboratory"}, Narrow: true}}}},
		"no category":        {url.Values{"decision": {"allow"}, "group": {"Observation"}}, pages.Choice{Allow: true}},
		"category alone":     {url.Values{"decision": {"allow"}, "category": {"Observation|laboratory"}}, pages.Choice{Allow: true}},
		"a narrow group":     {url.Values{"decision": {"allow"}, "group": {"Condition"}, "category": {"Condition|health-concern"}}, pages.Choice{Allow: true, Groups: []pages.Group{p.Groups[2]}}},
		"the wildcard":       {url.Values{"decision": {"allow"}, "group": {"*"}}, pages.Choice{Allow: true, Groups: []pages.Group{{Type: "*"}}}},
		"writing, offline":   {url.Values{"decision": {"allow"}, "write": {"Observation"}, "offline": {"yes"}}, pages.Choice{Allow: true, Writes: []string{"Observation"}, Offline: true}},
		"what was not there": {url.Values{"decision": {"allow"}, "group": {"Encounter"}, "write": {"Patient", "*"}, "category": {"Observation|survey"}}, pages.Choice{Allow: true}},
	} {
		if diff := cmp.Diff(p.Answer(c.form), c.want); diff != "" {
			t.Errorf("%s: got (-), want (+)\n%s", name, diff)
		}
	}
	p.Offline = time.Time{}
	if p.Answer(url.Values{"decision": {"allow"}, "offline": {"yes"}}).Offline {
		t.Error("offline access that the app did not ask for is granted")
	}
	for _, c := range []struct {
		choice pages.Choice
		empty  bool
	}{{pages.Choice{}, true}, {pages.Choice{Allow: true}, true}, {pages.Choice{Allow: true, Offline: true}, true}, {pages.Choice{Groups: p.Groups}, true},
		{pages.Choice{Allow: true, Groups: p.Groups}, false}, {pages.Choice{Allow: true, Writes: p.Writes}, false}} {
		if c.choice.Empty() != c.empty {
			t.Errorf("%+v: empty is %v", c.choice, !c.empty)
		}
	}
}

// TestConsentPage: writing and the wildcard are not ticked; the two buttons have the same style, and the first of the form,
// which the Enter key presses, refuses; nothing has the focus.
func TestConsentPage(t *testing.T) {
	r, _ := renderer(t, true)
	d := parse(t, render(t, r, "en", consentPage(), pages.Options{Binding: "b", Transaction: "t"}).Body.String())
	ticked := map[string]bool{}
	for _, n := range d.all("input") {
		if attribute(n, "type") == "checkbox" {
			ticked[attribute(n, "name")+" "+attribute(n, "value")] = has(n, "checked")
		}
	}
	want := map[string]bool{"group Patient": true, "group Observation": true, "category Observation|laboratory": true, "category Observation|vital-signs": true,
		"group Condition": true, "category Condition|health-concern": true, "group *": false, "write Observation": false, "offline yes": true}
	if diff := cmp.Diff(ticked, want); diff != "" {
		t.Errorf("ticked boxes: got (-), want (+)\n%s", diff)
	}
	var decisions []string
	styles := map[string]bool{}
	for _, n := range d.all("button") {
		if attribute(n, "name") == "decision" {
			decisions, styles[attribute(n, "class")] = append(decisions, attribute(n, "value")), true
		}
	}
	if diff := cmp.Diff(decisions, []string{"refuse", "allow"}); diff != "" || len(styles) != 1 {
		t.Errorf("the buttons are %q with the styles %v", decisions, styles)
	}
}
