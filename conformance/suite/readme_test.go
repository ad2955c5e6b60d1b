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
	text := document(t, "README.md")
	_, part, _ := strings.Cut(text, "## Try it")
	part, _, _ = strings.Cut(part, "**Your own data**")
	follow(t, part, []string{"bash", "curl", "sed"}, 8)
}

// TestConnect runs the commands of docs/connect.md for a backend system, with the examples of three languages as far as they can run
// here. So a vendor registers a client and gets tokens from the demonstration without help (SMART-069).
func TestConnect(t *testing.T) {
	t.Parallel()
	_, part, _ := strings.Cut(document(t, "docs/connect.md"), "## A backend system")
	part, _, _ = strings.Cut(part, "## From the code to tokens") // TestVendorClients does what follows
	follow(t, part, []string{"bash", "openssl", "xxd", "node"}, 8)
}

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// follow runs the commands of a document on the demonstration, in the folder of the repository, and looks for the lines of output
// between them, of which there are at least least.
func follow(t *testing.T, part string, tools []string, least int) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("skipped: the lines of the document need %s", tool)
		}
	}
	s := onPebble(t).start("--demo")
	script, want := commands(part)
	if len(want) < least {
		t.Fatalf("the document has %d outputs, want at least %d", len(want), least)
	}
	script = strings.NewReplacer("bin/carerecord", binary, "pebble:./var/demo", s.store, "http://127.0.0.1:8080", s.site).Replace(script)
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the commands of the document fail: %v:\n%s", err, out)
	}
	lines := strings.Split(string(out), "\n")
	for _, answer := range want {
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(answer), "…", ".*") + "$")
		i := slices.IndexFunc(lines, pattern.MatchString)
		if i < 0 {
			t.Fatalf("the document has the line of output %q, which is missing or elsewhere in\n%s", answer, out)
		}
		lines = lines[i+1:]
	}
}

// outputLine matches the lines of output in a document.
var outputLine = regexp.MustCompile(`^(\{"resourceType"|the chain|app-…|Somebody else)`)

// commands returns the commands of a part of a document and the output between them. Counts of records are omitted, since
// they depend on earlier commands.
func commands(part string) (script string, answers []string) {
	for line := range strings.Lines(part) {
		line, isCode := strings.CutPrefix(line, "    ")
		switch {
		case !isCode, strings.HasPrefix(line, "records checked"), strings.TrimSpace(line) == "…":
		case outputLine.MatchString(line):
			answers = append(answers, strings.TrimSpace(line))
		default:
			script += line
		}
	}
	return script, answers
}
