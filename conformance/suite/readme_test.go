package suite

import (
	"bufio"
	"errors"
	"io"
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

// TestConnect runs every command of docs/connect.md, with the examples of three languages as far as they can run here, and does over HTTP what
// the document asks a person to do in a browser. So a vendor registers each kind of client, authorizes, gets, renews and revokes tokens, and
// launches an app from an EHR at the demonstration without help (SMART-069).
func TestConnect(t *testing.T) {
	t.Parallel()
	follow(t, document(t, "docs/connect.md"), []string{"bash", "curl", "openssl", "xxd", "node"}, 45)
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
// between them, of which there are at least least. Where the commands print the address of an authorization and wait, a visitor opens it, and
// the commands get the address to which the app is sent.
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
	here := strings.NewReplacer("bin/carerecord", binary, "pebble:./var/demo", s.store, "http://127.0.0.1:8080", s.site)
	for i, answer := range want {
		want[i] = here.Replace(answer)
	}
	expect(t, s.shell(here.Replace(script), signIns(part)), want)
}

// expect looks for the lines of output of a document, in which … means any text, in those of its commands.
func expect(t *testing.T, lines, want []string) {
	t.Helper()
	out := strings.Join(lines, "\n")
	for _, answer := range want {
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(answer), "…", ".*") + "$")
		i := slices.IndexFunc(lines, pattern.MatchString)
		if i < 0 {
			t.Fatalf("the document has the line of output %q, which is missing or elsewhere in\n%s", answer, out)
		}
		lines = lines[i+1:]
	}
}

// shell runs a script and returns the lines of its output, without white space at their ends. people are those who answer its
// authorizations, in this order, in one browser.
func (s *server) shell(script string, people []string) (lines []string) {
	s.t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = "../.."
	stdin, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { stdin.Close() }) // a script that waits ends
	person := visit(s.t, s.site)
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := strings.TrimRight(scanner.Text(), " ")
		if lines = append(lines, line); !strings.HasPrefix(line, s.site+"/oauth/authorize?") {
			continue
		}
		if len(people) == 0 {
			s.t.Fatalf("nobody signs in at %s", line)
		}
		if _, err := io.WriteString(stdin, person.authorize(line, people[0])+"\n"); err != nil {
			s.t.Fatal(err)
		}
		people = people[1:]
	}
	if err := errors.Join(scanner.Err(), cmd.Wait()); err != nil {
		s.t.Fatalf("the commands of the document fail: %v:\n%s", err, strings.Join(lines, "\n"))
	}
	if len(people) > 0 {
		s.t.Errorf("no authorization for %v", people)
	}
	return lines
}

// signIns returns who signs in at each authorization of a document: whom its section names first.
func signIns(text string) (people []string) {
	named := regexp.MustCompile("[Ss]ign in as `([a-z]+)`")
	for section := range strings.SplitSeq(text, "\n## ") {
		for range strings.Count(section, "\n    authorize '") {
			if who := named.FindStringSubmatch(section); who != nil {
				people = append(people, who[1])
			}
		}
	}
	return people
}

// outputLine matches the lines of output in a document.
var outputLine = regexp.MustCompile(`^(\{"|the chain|SearchParameter/…|… resources|app-…|hollybank  |Somebody else|https?://|200\s)`)

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
