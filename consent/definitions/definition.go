package definitions

import (
	"errors"
	"slices"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/store"
)

// Type is the type of resources that define search parameters.
const Type = "SearchParameter"

// definition is the content of a stored SearchParameter: parameters of its base types while its status
// is active, else none (SRCH-240, 245).
type definition struct {
	id       string
	version  uint64
	location string // of its entry in a bundle, for errors
	params   []index.DefinedParam
}

// read reads a version of a SearchParameter. The error is a *fhir.Error.
func read(d store.Doc, location string) (definition, error) {
	def := definition{id: d.Ref.ID, version: d.Version, location: location}
	if d.Deleted() || gjson.GetBytes(d.Body, "status").Str != "active" {
		return def, nil
	}
	values := gjson.GetManyBytes(d.Body, "code", "url", "type", "expression", "xpathUsage", "base", "target")
	if usage := values[4].Str; usage != "" && usage != "normal" {
		return def, def.fault(&index.DefinitionError{Code: "invariant", Element: "xpathUsage", Text: "Comparisons other than normal are not built: " + usage + "."})
	}
	var targets []string
	for _, t := range values[6].Array() {
		targets = append(targets, t.Str)
	}
	for _, typ := range basesOf(values[5]) {
		def.params = append(def.params, index.DefinedParam{Type: typ, Code: values[0].Str, URL: values[1].Str, Kind: index.Kind(values[2].Str),
			Expression: values[3].Str, Targets: targets, Phase: index.Indexing})
	}
	return def, nil
}

// basesOf returns the resource types that a list of bases means, sorted.
func basesOf(list gjson.Result) []string {
	var out []string
	for _, b := range list.Array() {
		switch b.Str {
		case "Resource":
			out = append(out, r4.Resources()...)
		case "DomainResource":
			for _, typ := range r4.Resources() {
				if r4.TypeOf(typ).Element("contained") != nil {
					out = append(out, typ)
				}
			}
		default:
			out = append(out, b.Str)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fault is the answer to an invalid definition: 409 for a code that is taken, else 422, with the element.
func (d *definition) fault(err error) error {
	var why *index.DefinitionError
	if !errors.As(err, &why) {
		return err
	}
	e := &fhir.Error{Status: 422, Issues: []fhir.Issue{{Code: why.Code, Text: why.Text, Expression: Type + "." + why.Element}}}
	if why.Code == "duplicate" {
		e.Status = 409
	}
	if d.location != "" {
		return e.At(d.location + ".resource")
	}
	return e
}
