package xml_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"carerecord/conformance/testfiles"
	"carerecord/conformance/validate"
	"carerecord/fhir"
	"carerecord/fhir/edit"
	"carerecord/fhir/xml"
)

func TestJSON(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"primitives, lists and numbers", `<Patient xmlns="http://hl7.org/fhir"><id value="p"/><active value="true"/><name><given value="A"/><given value="B&amp;"/></name><multipleBirthInteger value="2"/></Patient>`,
			`{"resourceType":"Patient","id":"p","active":true,"name":[{"given":["A","B&"]}],"multipleBirthInteger":2}`},
		{"extensions of primitives", `<Patient xmlns="http://hl7.org/fhir"><name><given value="A"/><given id="x"/></name><birthDate value="1970"><extension url="u"><valueDecimal value="1.00"/></extension></birthDate></Patient>`,
			`{"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"id":"x"}]}],"birthDate":"1970","_birthDate":{"extension":[{"url":"u","valueDecimal":1.00}]}}`},
		{"contained, narrative, comments", `<?xml version="1.0"?><!-- c --><Patient xmlns="http://hl7.org/fhir"><text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">a<b>c</b></div></text><contained><Basic><id value="b"/></Basic></contained></Patient>`,
			`{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a<b>c</b></div>"},"contained":[{"resourceType":"Basic","id":"b"}]}`},
	} {
		got, err := xml.JSON([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		want, err := edit.Tree([]byte(c.want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want.Append(nil)), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestRefused(t *testing.T) {
	for in, path := range map[string]string{
		`<Patient xmlns="http://hl7.org/fhir"><nome value="x"/></Patient>`:                    "Patient.nome",
		`<Patient xmlns="http://hl7.org/fhir"><active value="yes"/></Patient>`:                "Patient.active",
		`<Patient xmlns="http://hl7.org/fhir"><active value="true" x="1"/></Patient>`:         "Patient.active",
		`<Patient><active value="true"/></Patient>`:                                           "Patient",
		`<Nothing xmlns="http://hl7.org/fhir"/>`:                                              "Nothing",
		`<Patient xmlns="http://hl7.org/fhir">text</Patient>`:                                 "",
		`<!DOCTYPE a [<!ENTITY x "y">]><Patient xmlns="http://hl7.org/fhir"/>`:                "",
		`<Patient xmlns="http://hl7.org/fhir"><active value="true">`:                          "",
		`<Patient xmlns="http://hl7.org/fhir"/><Patient xmlns="http://hl7.org/fhir"/>`:        "",
		`<Patient xmlns="http://hl7.org/fhir">` + strings.Repeat("<extension url='u'>", 2000): "Patient" + strings.Repeat(".extension", fhir.MaxDepth),
	} {
		out, err := xml.JSON([]byte(in))
		e, ok := fhir.AsError(err)
		if !ok || e.Status != 400 || e.Issues[0].Expression != path {
			t.Errorf("%.90s: got %.60s %v, want a fault at %q", in, out, err, path)
		}
	}
}

// TestOfficialPairs: the resources that the official cases hold in both formats.
func TestOfficialPairs(t *testing.T) {
	for _, name := range []string{"condition-example", "organization-1", "patient-example"} {
		got, err := xml.JSON(testfiles.Case(t, "examples/"+name+".xml"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, err := edit.Tree(testfiles.Case(t, "examples/"+name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		tree, err := edit.Tree(got)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []*edit.Node{want, tree} { // white space in narrative is free
			if text := n.Get("text"); text != nil {
				text.Set("div", edit.Text(strings.Join(strings.Fields(text.Get("div").String()), "")))
			}
		}
		if !edit.SameJSON(tree, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, tree.Append(nil), want.Append(nil))
		}
	}
}

// TestOfficialXML: every official resource in XML becomes a JSON that is valid.
func TestOfficialXML(t *testing.T) {
	files := testfiles.Cases(t, "examples/*.xml")
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := xml.JSON(body)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for _, issue := range validate.Resource(got, validate.Lenient) {
			if issue.Severity != "warning" {
				t.Errorf("%s: %s: %s", filepath.Base(file), issue.Expression, issue.Text)
			}
		}
	}
	t.Logf("%d official resources in XML", len(files))
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`<Patient xmlns="http://hl7.org/fhir"><name id="a"><given value="A"/><given><extension url="u"/></given></name></Patient>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		out, err := xml.JSON(body)
		if err != nil {
			return
		}
		if _, err := edit.Tree(out); err != nil {
			t.Errorf("%s became %s: %v", body, out, err)
		}
	})
}
