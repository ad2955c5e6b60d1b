package edit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"carerecord/conformance/testfiles"
	"carerecord/fhir"
	"carerecord/fhir/edit"
	"carerecord/fhir/r4"
)

// texts reports whether a rule that hides free text removes a type.
func texts(typ string) bool {
	return slices.Contains([]string{"", "Narrative", "Annotation", "markdown", "Attachment"}, typ)
}

func TestRestore(t *testing.T) {
	const note = `{"text":"t"}`
	for _, c := range []struct{ name, stored, change, want string }{
		{"CON-1306 a single element at its position", `{"resourceType":"Observation","id":"o","text":{"status":"generated","div":"<div/>"},"status":"final","code":{"text":"x"}}`,
			`"final"→"amended"`, `{"resourceType":"Observation","id":"o","text":{"status":"generated","div":"<div/>"},"status":"amended","code":{"text":"x"}}`},
		{"CON-1306 an entry after the one it followed", `{"resourceType":"Communication","status":"completed","payload":[{"contentString":"a"},{"contentAttachment":{"title":"h"}},{"contentString":"b"}]}`,
			`{"contentString":"b"}→{"contentString":"n"},{"contentString":"b"}`,
			`{"resourceType":"Communication","status":"completed","payload":[{"contentString":"a"},{"contentAttachment":{"title":"h"}},{"contentString":"n"},{"contentString":"b"}]}`},
		{"CON-1306 an entry moves with the one it followed", `{"resourceType":"Communication","payload":[{"contentString":"a"},{"contentAttachment":{"title":"h"}},{"contentString":"b"}]}`,
			`{"contentString":"a"},{"contentString":"b"}→{"contentString":"b"},{"contentString":"a"}`,
			`{"resourceType":"Communication","payload":[{"contentString":"b"},{"contentString":"a"},{"contentAttachment":{"title":"h"}}]}`},
		{"CON-1306 at the end in the old order", `{"resourceType":"Communication","payload":[{"contentString":"a"},{"contentAttachment":{"title":"h"}},{"contentAttachment":{"title":"i"}},{"contentString":"b"}]}`,
			`{"contentString":"a"},→`,
			`{"resourceType":"Communication","payload":[{"contentString":"b"},{"contentAttachment":{"title":"h"}},{"contentAttachment":{"title":"i"}}]}`},
		{"a hidden first entry", `{"resourceType":"Communication","payload":[{"contentAttachment":{"title":"h"}},{"contentString":"a"}]}`,
			`"a"→"b"`, `{"resourceType":"Communication","payload":[{"contentAttachment":{"title":"h"}},{"contentString":"b"}]}`},
		{"CON-1306 within an entry that changed at its position", `{"resourceType":"Patient","contact":[{"extension":[{"url":"h","valueAttachment":{"title":"h"}}],"gender":"male"},{"gender":"other"}]}`,
			`"male"→"female"`, `{"resourceType":"Patient","contact":[{"extension":[{"url":"h","valueAttachment":{"title":"h"}}],"gender":"female"},{"gender":"other"}]}`},
		{"not in another entry", `{"resourceType":"Patient","contained":[{"resourceType":"Condition","id":"a","subject":{"display":"x"},"note":[` + note + `]}]}`,
			`"id":"a"→"id":"b"`, `{"resourceType":"Patient","contained":[{"resourceType":"Condition","id":"b","subject":{"display":"x"}}]}`},
		{"in an entry with the same id that moved and changed", `{"resourceType":"Patient","contained":[{"resourceType":"Condition","id":"a","subject":{"display":"x"},"note":[` + note + `]},{"resourceType":"Basic","id":"b"}]}`,
			`{"resourceType":"Condition","id":"a","subject":{"display":"x"}},{"resourceType":"Basic","id":"b"}→{"resourceType":"Basic","id":"b"},{"resourceType":"Condition","id":"a","subject":{"display":"y"}}`,
			`{"resourceType":"Patient","contained":[{"resourceType":"Basic","id":"b"},{"resourceType":"Condition","id":"a","subject":{"display":"y"},"note":[` + note + `]}]}`},
		{"the hidden elements of a deleted object are deleted", `{"resourceType":"Patient","maritalStatus":{"extension":[{"url":"h","valueAttachment":{"title":"h"}}],"text":"x"},"active":true}`,
			`"maritalStatus":{"text":"x"},→`, `{"resourceType":"Patient","active":true}`},
		{"extensions of primitives in a list", `{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[{"extension":[{"url":"h","valueAttachment":{"title":"h"}}]},{"id":"x"}]}]}`,
			`"A","B"→"N","A","B"‖"_given":[null,{"id":"x"}]→"_given":[null,null,{"id":"x"}]`,
			`{"resourceType":"Patient","name":[{"given":["N","A","B"],"_given":[null,{"extension":[{"url":"h","valueAttachment":{"title":"h"}}]},{"id":"x"}]}]}`},
		{"an id that the writer gives to a primitive in a list", `{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[{"id":"x","extension":[{"url":"h","valueAttachment":{"title":"h"}}]},null]}]}`,
			`[{"id":"x"},null]→[{"id":"x"},{"id":"y"}]`,
			`{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[{"id":"x","extension":[{"url":"h","valueAttachment":{"title":"h"}}]},{"id":"y"}]}]}`},
		{"an id that the writer deletes is deleted with its hidden extensions", `{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[{"id":"x","extension":[{"url":"h","valueAttachment":{"title":"h"}}]},{"id":"y"}]}]}`,
			`[{"id":"x"},{"id":"y"}]→[null,{"id":"y"}]`, `{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[null,{"id":"y"}]}]}`},
		{"not in another resource", `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"u","resource":{"resourceType":"Condition","id":"a","note":[` + note + `]}}]}`,
			`"id":"a"→"id":"b"`, `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"u","resource":{"resourceType":"Condition","id":"b"}}]}`},
		{"a hidden element is not replaced", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"text":{"status":"generated","div":"<div/>"}}`,
			`"final"→"final","text":{"status":"empty","div":"<div>new</div>"}`, `{"resourceType":"Observation","status":"final","text":{"status":"generated","div":"<div/>"},"code":{"text":"x"}}`},
		{"a hidden choice is not replaced by another type", `{"resourceType":"Patient","extension":[{"url":"u","extension":[{"url":"v","valueString":"x"}],"valueAttachment":{"title":"h"}}]}`,
			`]}]→],"valueString":"n"}]`, `{"resourceType":"Patient","extension":[{"url":"u","extension":[{"url":"v","valueString":"x"}],"valueAttachment":{"title":"h"}}]}`},
		{"a list that was hidden as a whole holds both", `{"resourceType":"Observation","status":"final","note":[` + note + `]}`,
			`"final"→"final","note":[{"text":"n"}]`, `{"resourceType":"Observation","status":"final","note":[` + note + `,{"text":"n"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cut, changed := edit.RemoveTypes([]byte(c.stored), texts)
			if !changed {
				t.Fatalf("nothing was cut of %s", c.stored)
			}
			written := string(cut)
			for _, change := range strings.Split(c.change, "‖") {
				old, now, _ := strings.Cut(change, "→")
				if !strings.Contains(written, old) {
					t.Fatalf("%s is not in %s", old, written)
				}
				written = strings.Replace(written, old, now, 1)
			}
			if diff := cmp.Diff(c.want, string(edit.Restore([]byte(c.stored), cut, []byte(written)))); diff != "" {
				t.Errorf("written %s (-want +got):\n%s", written, diff)
			}
		})
	}
}

// TestRestoreLaws draws resources by the tables of the standard, hidden types, and changes of the
// visible elements.
func TestRestoreLaws(t *testing.T) {
	cuts, edits := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom([]string{"Patient", "Observation", "Communication", "DocumentReference", "CarePlan", "Questionnaire", "Provenance"}).Draw(t, "type")
		stored := drawObject(t, r4.TypeOf(typ), `"resourceType":"`+typ+`"`, 4)
		hidden := rapid.SliceOfN(rapid.SampledFrom([]string{"Narrative", "Annotation", "Attachment", "string", "markdown", "CodeableConcept", "Identifier", "Reference", "Period", "HumanName", "dateTime", "Element", "Coding", "Extension", ""}), 1, 4).Draw(t, "hidden")
		doomed := func(typ string) bool { return slices.Contains(hidden, typ) }
		cut, changed := edit.RemoveTypes([]byte(stored), doomed)
		if cut == nil {
			return
		}
		if got := string(edit.Restore([]byte(stored), cut, cut)); got != stored {
			t.Fatalf("hidden %v\nstored %s\ncut    %s\ngot    %s", hidden, stored, cut, got)
		}
		if changed {
			cuts++
		}
		tree, err := edit.Tree(cut)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			change(t, tree)
		}
		written := tree.Append(nil)
		if _, err := fhir.Parse(written); err != nil || bareExtension(tree) {
			return // it is no longer a resource
		}
		if again, changed := edit.RemoveTypes(written, doomed); again == nil || changed {
			return // the writer wrote an element of a hidden type
		}
		if changed && string(written) != string(cut) {
			edits++
		}
		restored := edit.Restore([]byte(stored), cut, written)
		got, _ := edit.RemoveTypes(restored, doomed)
		if string(got) != string(written) {
			t.Fatalf("hidden %v\nstored   %s\ncut      %s\nwritten  %s\nrestored %s\ncut of it %s", hidden, stored, cut, written, restored, got)
		}
	})
	t.Logf("%d resources were cut, %d of them were changed", cuts, edits)
	if cuts == 0 || edits == 0 {
		t.Errorf("%d resources were cut, %d of them changed: nothing was tried", cuts, edits)
	}
}

// TestRestoreExamples: Restore returns the official examples after any type was removed.
func TestRestoreExamples(t *testing.T) {
	cuts := 0
	files := testfiles.Cases(t, "examples/*.json")
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := fhir.Parse(body)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, hidden := range []string{"Narrative", "Annotation", "markdown", "string", "Reference", "Coding", "Extension", "Period", "Element", "Quantity", "uri", ""} {
			cut, changed := edit.RemoveTypes(r.Body, func(typ string) bool { return typ == hidden })
			if cut == nil || !changed {
				continue
			}
			cuts++
			if got := edit.Restore(r.Body, cut, cut); string(got) != string(r.Body) {
				t.Errorf("%s without %q: got\n%.2000s\nwant\n%.2000s", filepath.Base(file), hidden, got, r.Body)
			}
		}
	}
	if cuts == 0 {
		t.Error("nothing was cut")
	}
	t.Logf("%d examples, cut %d times", len(files), cuts)
}

// bareExtension reports whether an extension has neither a value nor extensions, which ext-1 forbids.
func bareExtension(n *edit.Node) bool {
	for i, item := range n.Items {
		if bareExtension(item) {
			return true
		}
		if n.Kind != '{' || n.Names[i] != "extension" && n.Names[i] != "modifierExtension" {
			continue
		}
		for _, e := range item.Items {
			if !slices.ContainsFunc(e.Names, func(name string) bool { return name == "extension" || strings.HasPrefix(name, "value") }) {
				return true
			}
		}
	}
	return false
}

// change makes one change to a visible body: another text, a removed, copied or moved entry, or a
// removed member.
func change(t *rapid.T, root *edit.Node) {
	var nodes []*edit.Node
	var visit func(n *edit.Node)
	visit = func(n *edit.Node) {
		if n.Kind == '{' || n.Kind == '[' && len(n.Items) > 0 && n.Items[0].Kind == '{' {
			nodes = append(nodes, n)
		}
		for _, item := range n.Items {
			visit(item)
		}
	}
	visit(root)
	n := rapid.SampledFrom(nodes).Draw(t, "node")
	if len(n.Items) == 0 {
		return
	}
	i := rapid.IntRange(0, len(n.Items)-1).Draw(t, "at")
	kind := rapid.IntRange(0, 3).Draw(t, "kind")
	if n.Kind == '[' {
		switch kind {
		case 0:
			n.Remove(i)
		case 1:
			n.Insert(i, "", n.Items[i].Clone())
		default:
			moved := n.Items[i]
			n.Remove(i)
			n.Insert(rapid.IntRange(0, len(n.Items)).Draw(t, "to"), "", moved)
		}
		return
	}
	switch name := n.Names[i]; {
	case name == "resourceType" || strings.HasPrefix(name, "_"):
	case kind == 0:
		n.Remove(i)
		if j := n.Find("_" + name); j >= 0 {
			n.Remove(j)
		}
	case n.Items[i].Kind == '"':
		n.Items[i] = edit.Text(rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "text"))
	}
}

// drawObject returns the JSON of an object with the mandatory elements of a type and some others.
func drawObject(t *rapid.T, of *r4.Type, first string, depth int) string {
	members := []string{}
	if first != "" {
		members = append(members, first)
	}
	chosen := rapid.SliceOfN(rapid.IntRange(0, len(of.Elements)-1), 1, 4).Draw(t, "elements")
	for i, e := range of.Elements {
		value := of.Name == "Extension" && e.Name == "value" // every extension has one here
		if e.Name == "contained" || len(e.Properties) == 0 || !value && e.Min == 0 && (!slices.Contains(chosen, i) || depth <= 0) || depth < -3 {
			continue
		}
		p := e.Properties[rapid.IntRange(0, len(e.Properties)-1).Draw(t, "choice")]
		if value && depth <= 0 {
			p, _ = of.Property("valueString")
		}
		if p.Of == nil && p.Type != "xhtml" || p.Of != nil && p.Of.Class == r4.Abstract {
			continue
		}
		n := 1
		if e.Max != 1 {
			n = rapid.IntRange(1, 3).Draw(t, "entries")
		}
		members = append(members, drawMembers(t, p, n, depth)...)
	}
	if len(members) == 0 {
		members = []string{`"id":"i"`}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// drawMembers returns the JSON of the members of a property, for some primitives with extensions.
func drawMembers(t *rapid.T, p r4.Property, n, depth int) []string {
	var values, twins []string
	extended := false
	for range n {
		underscore := "null"
		switch {
		case p.Of == nil || p.Of.Class == r4.Primitive:
			values = append(values, fmt.Sprintf(`"%c"`, 'a'+rapid.IntRange(0, 3).Draw(t, "text")))
			if depth > 0 && rapid.IntRange(0, 5).Draw(t, "extended") == 0 {
				underscore, extended = drawObject(t, r4.TypeOf("Element"), "", min(depth-1, 1)), true
			}
		default:
			values = append(values, drawObject(t, p.Of, "", depth-1))
		}
		twins = append(twins, underscore)
	}
	if p.Element.Max == 1 {
		out := []string{fmt.Sprintf(`"%s":%s`, p.Name, values[0])}
		if extended {
			out = append(out, fmt.Sprintf(`"_%s":%s`, p.Name, twins[0]))
		}
		return out
	}
	out := []string{fmt.Sprintf(`"%s":[%s]`, p.Name, strings.Join(values, ","))}
	if extended {
		out = append(out, fmt.Sprintf(`"_%s":[%s]`, p.Name, strings.Join(twins, ",")))
	}
	return out
}

func FuzzRestore(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Patient","name":[{"given":["A"],"_given":[{"id":"x"}]}]}`), []byte(`{"resourceType":"Patient","name":[{"given":["A"]}]}`), []byte(`{"resourceType":"Patient","name":[]}`))
	f.Fuzz(func(t *testing.T, stored, cut, written []byte) {
		_ = edit.Restore(stored, cut, written)
	})
}
