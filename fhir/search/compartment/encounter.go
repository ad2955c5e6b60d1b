package compartment

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// The candidates for associated rows of an Encounter follow from the bodies of the Encounter, of the
// rows and of visible Patients. They do not follow from the owner facts of the server, which
// depend on Patients of other sources that a source system does not see.

// associatedEncounterURL is the extension that ties a resource to an Encounter (OPER-014).
const associatedEncounterURL = "http://hl7.org/fhir/StructureDefinition/encounter-associatedEncounter"

// hasAssociatedEncounter reports whether a resource has the extension with an Encounter as its value.
func hasAssociatedEncounter(base string, body []byte, encounter store.Ref) bool {
	found := false
	gjson.GetBytes(body, "extension").ForEach(func(_, e gjson.Result) bool {
		if e.Get("url").Str == associatedEncounterURL {
			ref, ok := fhir.ParseRef(base, e.Get("valueReference.reference").Str)
			found = found || ok && ref.Type == encounter.Type && ref.ID == encounter.ID
		}
		return !found
	})
	return found
}

// subject holds the references and identifiers by which rows may name the subject of an Encounter.
type subject struct {
	refs        []store.Ref
	identifiers []string // system|value, escaped
}

// findSubject reads the reference and the identifier of the Encounter's subject. If only one of them
// is there, it takes the other from a visible Patient.
func (w *walk) findSubject(ctx context.Context) error {
	x := w.view.Index()
	named := gjson.GetBytes(w.owner.Body, "subject")
	if ref, ok := fhir.ParseRef(x.Base(), named.Get("reference").Str); ok {
		w.subject.refs = append(w.subject.refs, store.Ref{Type: ref.Type, ID: ref.ID})
	}
	if id := named.Get("identifier"); id.Get("value").Str != "" {
		w.subject.identifiers = append(w.subject.identifiers, token(id.Get("system").Str, id.Get("value").Str))
	}
	for d, err := range w.view.All(ctx, w.subject.refs) {
		if err != nil {
			return fmt.Errorf("read the subject of an encounter: %w", err)
		}
		for _, id := range gjson.GetBytes(d.Body, "identifier").Array() {
			if d.Ref.Type == "Patient" && id.Get("system").Str == fhir.NHSNumberSystem && id.Get("value").Str != "" {
				w.subject.identifiers = append(w.subject.identifiers, token(fhir.NHSNumberSystem, id.Get("value").Str))
			}
		}
	}
	if len(w.subject.identifiers) == 0 {
		return nil
	}
	holders, err := x.Predicate(index.Query{Type: "Patient", Name: "identifier", Values: w.subject.identifiers})
	if err != nil {
		return fmt.Errorf("find the patients with the identifiers of a subject: %w", err)
	}
	for d, err := range w.view.Scan(ctx, store.Query{Type: "Patient", Where: holders, KeysOnly: true}) {
		if err != nil {
			return fmt.Errorf("find the patients with the identifiers of a subject: %w", err)
		}
		if !slices.Contains(w.subject.refs, d.Ref) {
			w.subject.refs = append(w.subject.refs, d.Ref)
		}
	}
	return nil
}

// token returns a token in the form of a search parameter.
func token(system, value string) string {
	return index.Escape(system) + "|" + index.Escape(value)
}

// rows returns the predicate of the rows of a type that name the subject.
func (s subject) rows(x *index.Indexer, typ string) (store.Or, error) {
	var anyOf store.Or
	add := func(name, modifier string, values ...string) error {
		pred, err := x.Predicate(index.Query{Type: typ, Name: name, Modifier: modifier, Values: values})
		if err != nil {
			return fmt.Errorf("find the %s rows of a subject: %w", typ, err)
		}
		anyOf = append(anyOf, pred)
		return nil
	}
	for _, p := range x.Params(typ) {
		if p.Kind != index.Reference || !p.Indexed || p.Defined {
			continue
		}
		for _, ref := range s.refs {
			if slices.Contains(p.Targets, ref.Type) {
				if err := add(p.Code, "", ref.String()); err != nil {
					return nil, err
				}
			}
		}
		if len(s.identifiers) > 0 && slices.Contains(p.Targets, "Patient") && x.Supports(typ, p.Code, "identifier") {
			if err := add(p.Code, "identifier", s.identifiers...); err != nil {
				return nil, err
			}
		}
	}
	for _, ref := range s.refs {
		if ref.Type == typ {
			if err := add("_id", "", ref.ID); err != nil {
				return nil, err
			}
		}
	}
	return anyOf, nil
}
