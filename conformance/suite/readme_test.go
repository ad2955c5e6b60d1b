package suite

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestReadme runs the commands of the README on the demonstration, and compares the output with the output in the
// README.
func TestReadme(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("skipped: the README's lines need %s", tool)
		}
	}
	s := onPebble(t).start("--demo")
	script, want := readme(t)
	script = strings.NewReplacer("bin/carerecord", binary, "pebble:./var/demo", s.store, "http://127.0.0.1:8080", s.site).Replace(script)
	out, err := exec.Command("bash", "-euo", "pipefail", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("the commands of the README fail: %v:\n%s", err, out)
	}
	rest := string(out)
	for _, answer := range want {
		for _, part := range strings.Split(answer, "…") {
			part = strings.Trim(part, "[]}")
			_, after, found := strings.Cut(rest, part)
			if !found {
				t.Fatalf("the README has the output %q, which is missing or elsewhere in\n%s", part, out)
			}
			rest = after
		}
	}
}

// readme returns the commands of the README and the output between them. Counts of records are omitted, since
// they depend on earlier commands.
func readme(t *testing.T) (script string, answers []string) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(text), "## Try it")
	part, _, _ = strings.Cut(part, "**Your own data**")
	for line := range strings.Lines(part) {
		line, isCode := strings.CutPrefix(line, "    ")
		switch {
		case !isCode, strings.HasPrefix(line, "records checked"):
		case strings.HasPrefix(line, `{"resourceType"`), strings.HasPrefix(line, "the chain"):
			answers = append(answers, strings.TrimSpace(line))
		default:
			script += line
		}
	}
	if len(answers) < 8 {
		t.Fatalf("the README has %d outputs, want at least 8", len(answers))
	}
	return script, answers
}
