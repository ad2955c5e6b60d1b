package index

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGrammarInDoc compares the tables in doc.go with those of grammar.go. UPDATE=1
// writes doc.go.
func TestGrammarInDoc(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	got := want
	for heading, table := range map[string][]string{
		"# Facts": factTable(), "# Named facts": namedTable(),
		"# Driving classes": classTable(false), "# Verifying classes": classTable(true),
	} {
		if got, err = withTable(got, heading, table); err != nil {
			t.Fatal(err)
		}
	}
	if got == want {
		return
	}
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile("doc.go", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("doc.go is not what grammar.go says; UPDATE=1 writes it (-doc.go +grammar.go):\n%s", cmp.Diff(want, got))
}

// withTable puts a table in the place of the first one behind a heading.
func withTable(text, heading string, table []string) (string, error) {
	before, rest, found := strings.Cut(text, "// "+heading+"\n")
	if !found {
		return "", fmt.Errorf("doc.go has no heading %q", heading)
	}
	from := strings.Index(rest, "//\t")
	end := from
	for from >= 0 && strings.HasPrefix(rest[end:], "//\t") {
		end += strings.IndexByte(rest[end:], '\n') + 1
	}
	if next := strings.Index(rest, "// # "); from < 0 || next >= 0 && next < from {
		return "", fmt.Errorf("doc.go has no table behind %q", heading)
	}
	var lines strings.Builder
	for _, line := range table {
		lines.WriteString("//\t" + line + "\n")
	}
	return before + "// " + heading + "\n" + rest[:from] + lines.String() + rest[end:], nil
}

func factTable() []string {
	var out []string
	for _, f := range facts() {
		key := fmt.Sprint(f.prefix[1])
		if f.prefix.CrossType() {
			key = "0 " + string(f.prefix[2])
		}
		out = append(out, columns([]int{4, 14}, []string{key, layout(f.value)}, fmt.Sprintf("%s [%s]", f.meaning, f.queriedBy))...)
	}
	return out
}

func namedTable() []string {
	var out []string
	for _, f := range NamedFacts() {
		out = append(out, columns([]int{18}, []string{f.Name}, f.Meaning)...)
	}
	return out
}

func classTable(verifying bool) []string {
	var out []string
	last := ""
	for _, c := range classes() {
		if c.verifies != verifying {
			continue
		}
		kinds := c.kinds
		if kinds == last {
			kinds = ""
		}
		last = c.kinds
		cells := []string{kinds, strings.TrimSpace(string(rune(c.class)) + " " + layout(c.value))}
		out = append(out, columns([]int{17, 28}, cells, fmt.Sprintf("%s [%s]", c.meaning, c.queriedBy))...)
	}
	return out
}

// layout writes the pieces of a value, with 0 behind each text that is not the last.
func layout(pieces []piece) string {
	var out []string
	for i, p := range pieces {
		out = append(out, p.name)
		if p.kind == asText && i < len(pieces)-1 {
			out = append(out, "0")
		}
	}
	return strings.Join(out, " ")
}

// columns writes cells of some widths and a text beside them, in lines.
func columns(widths []int, cells []string, text string) []string {
	const width = 108
	left := ""
	for i, cell := range cells {
		left += fmt.Sprintf("%-*s", widths[i], cell)
	}
	var out []string
	line := left
	for _, word := range strings.Fields(text) {
		if len([]rune(line))+1+len([]rune(word)) > width {
			out = append(out, strings.TrimRight(line, " "))
			line = strings.Repeat(" ", len(left))
		}
		if strings.TrimSpace(line) != "" && len(line) > len(left) {
			line += " "
		}
		line += word
	}
	return append(out, strings.TrimRight(line, " "))
}

// TestGrammarIsComplete: every constant of a class, a fact and a named fact is in its
// table once, and no two rows of a table have the same bytes.
func TestGrammarIsComplete(t *testing.T) {
	rows := map[string]int{}
	for _, c := range classes() {
		rows[fmt.Sprintf("class %q %v", c.class, c.verifies)]++
	}
	for _, f := range facts() {
		rows[fmt.Sprintf("fact %q", f.prefix)]++
	}
	for _, f := range NamedFacts() {
		rows["named "+f.Name]++
	}
	for row, n := range rows {
		if n != 1 {
			t.Errorf("%s is in the tables %d times", row, n)
		}
	}
	declared := len(constants(t, "key.go", "class")) + len(constants(t, "facts.go", "fact")) +
		len(constants(t, "facts.go", "cross")) + len(constants(t, "grammar.go", "Fact"))
	if declared != len(rows) {
		t.Errorf("the tables have %d rows, and there are %d constants", len(rows), declared)
	}
}

// constants returns the constants of a file whose names begin so, with their values as
// they are written.
func constants(t *testing.T, file, prefix string) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, d := range f.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.CONST {
			continue
		}
		for _, spec := range decl.Specs {
			v := spec.(*ast.ValueSpec)
			for i, name := range v.Names {
				if !strings.HasPrefix(name.Name, prefix) || strings.HasPrefix(name.Name, "classCodeKey") || strings.HasPrefix(name.Name, "classFoldedKey") {
					continue
				}
				out[name.Name] = ""
				if i < len(v.Values) {
					if lit, ok := v.Values[i].(*ast.BasicLit); ok {
						out[name.Name] = lit.Value
					}
				}
			}
		}
	}
	return out
}

// TestGrammarSaysWhoReads: the file that a row of the facts names calls a function that
// makes or reads keys of this fact; and package consent takes the names of named facts
// from here.
func TestGrammarSaysWhoReads(t *testing.T) {
	functions := usersOf(t, "facts.go")
	spelled := constants(t, "facts.go", "")
	for _, f := range facts() {
		file := filepath.Join("..", "..", "consent", f.queriedBy)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		var names []string
		for constant, value := range spelled {
			if value == quoted(string(f.prefix)) {
				names = append(names, functions[constant]...)
			}
		}
		if !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(string(text), "index."+name+"(") }) {
			t.Errorf("%s calls none of %v: it does not read %q", file, names, f.name)
		}
	}
	files, err := filepath.Glob("../../consent/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("package consent has %d files (error %v)", len(files), err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for name, value := range constants(t, file, "fact") {
			if strings.HasPrefix(value, `"`) {
				t.Errorf("%s: %s is %s: a named fact is declared in grammar.go", file, name, value)
			}
		}
	}
}

// quoted writes a prefix as facts.go does.
func quoted(prefix string) string {
	var out strings.Builder
	for i := range len(prefix) {
		if b := prefix[i]; b < ' ' || b >= 0x7f {
			fmt.Fprintf(&out, `\x%02x`, b)
		} else {
			out.WriteByte(b)
		}
	}
	return `"` + out.String() + `"`
}

// usersOf returns the functions of a file that use each name.
func usersOf(t *testing.T, file string) map[string][]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			ast.Inspect(fn, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					out[id.Name] = append(out[id.Name], fn.Name.Name)
				}
				return true
			})
		}
	}
	return out
}
