package suite

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReadme runs the commands of the README on the demonstration, and compares whole lines of the output with those
// in the README, in which … means any text.
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
	lines := strings.Split(string(out), "\n")
	for _, answer := range want {
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(answer), "…", ".*") + "$")
		i := slices.IndexFunc(lines, pattern.MatchString)
		if i < 0 {
			t.Fatalf("the README has the line of output %q, which is missing or elsewhere in\n%s", answer, out)
		}
		lines = lines[i+1:]
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
