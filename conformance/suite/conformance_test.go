package suite

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestConformancePage compares docs/conformance.md with the server: the page names the interactions,
// operations, formats and common parameters of metadata; the requests that it lists as refused get the listed
// status; and its limits are the defaults.
func TestConformancePage(t *testing.T) {
	text, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	s := onPebble(t).start("--auth", "off")

	listed := map[string]bool{}
	meta := s.get("", "metadata")
	for _, path := range []string{"rest.0.interaction.#.code", "rest.0.resource.#.interaction.#.code", "rest.0.resource.#.operation.#.name", "format", "patchFormat", "rest.0.searchParam.#.name"} {
		for _, list := range meta.get(path + "|@flatten").Array() {
			listed[list.Str] = true
		}
	}
	if len(listed) < 20 || !listed["_list"] || !listed["_filter"] {
		t.Fatalf("metadata lists %v, want at least 20 words with _list and _filter", listed)
	}
	for word := range listed {
		if !strings.Contains(page, "`"+word+"`") {
			t.Errorf("metadata lists %s, the page does not", word)
		}
	}

	refusals := regexp.MustCompile("(?m)^\\| `GET ([^`]+)`[^|]* \\| (\\d+) `([a-z-]+)` \\|$").FindAllStringSubmatch(page, -1)
	if len(refusals) < 15 {
		t.Fatalf("the page has %d refusals, want at least 15", len(refusals))
	}
	for _, m := range refusals {
		status, _ := strconv.Atoi(m[2])
		path := strings.NewReplacer("[base]", "", "$", "%24").Replace(m[1])
		wantStatus(t, "docs/conformance.md: GET "+m[1], s.get("", path, "Prefer: handling=lenient"), status, m[3])
	}

	_, line, _ := strings.Cut(s.output.String(), "msg=limits ")
	line, _, _ = strings.Cut(line, "\n")
	limits := strings.Fields(line)
	if len(limits) < 18 {
		t.Fatalf("the log at the start has %q, want at least 18 limits", line)
	}
	for _, limit := range limits {
		name, value, _ := strings.Cut(limit, "=")
		value = strings.Replace(value, `""`, "none", 1)
		if !regexp.MustCompile("`" + name + "`[^|]*\\| " + value + " \\|").MatchString(page) {
			t.Errorf("the limit %s is %s, the page has another value or none", name, value)
		}
	}
}
