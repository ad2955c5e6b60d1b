package search

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// $everything of an Encounter has rows outside the compartment: those that an extension
// ties to the Encounter (OPER-014). No search parameter finds them, so they are looked for
// among the rows that name the subject of the Encounter. Which rows these are follows from
// what the Encounter, the rows and the visible Patients say. It does not follow from the
// owners that the server has worked out: for those it looks at Patients of other sources,
// which a feed does not see.

// associated is the extension that ties a resource to an Encounter (OPER-014).
const associated = "http://hl7.org/fhir/StructureDefinition/encounter-associatedEncounter"

// tied reports whether a resource bears the extension for an Encounter.
func tied(base string, body []byte, encounter store.Ref) bool {
	found := false
	gjson.GetBytes(body, "extension").ForEach(func(_, e gjson.Result) bool {
		if e.Get("url").Str == associated {
			ref, ok := fhir.ParseRef(base, e.Get("valueReference.reference").Str)
			found = found || ok && ref.Type == encounter.Type && ref.ID == encounter.ID
		}
		return !found
	})
	return found
}

// subject is the forms in which rows may name the subject of an Encounter.
type subject struct {
	refs        []store.Ref
	identifiers []string // system|value, escaped
}

// findSubject reads the subject of the Encounter: by reference, by identifier, and by the
// other of the two where a visible Patient has both.
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
	bears, err := x.Predicate(index.Query{Type: "Patient", Name: "identifier", Values: w.subject.identifiers})
	if err != nil {
		return fmt.Errorf("look who bears the identifiers of a subject: %w", err)
	}
	for d, err := range w.view.Scan(ctx, store.Query{Type: "Patient", Where: bears, KeysOnly: true}) {
		if err != nil {
			return fmt.Errorf("look who bears the identifiers of a subject: %w", err)
		}
		if !slices.Contains(w.subject.refs, d.Ref) {
			w.subject.refs = append(w.subject.refs, d.Ref)
		}
	}
	return nil
}

// token is a token as a search writes it.
func token(system, value string) string {
	escape := strings.NewReplacer(`\`, `\\`, `|`, `\|`, `$`, `\$`, `,`, `\,`)
	return escape.Replace(system) + "|" + escape.Replace(value)
}

// rows is what the rows of a type satisfy that name the subject.
func (s subject) rows(x *index.Indexer, typ string) (store.Or, error) {
	var any store.Or
	ask := func(name, modifier string, values ...string) error {
		pred, err := x.Predicate(index.Query{Type: typ, Name: name, Modifier: modifier, Values: values})
		if err != nil {
			return fmt.Errorf("look what of %s names a subject: %w", typ, err)
		}
		any = append(any, pred)
		return nil
	}
	for _, p := range x.Params(typ) {
		if p.Kind != index.Reference || !p.Indexed || p.Defined {
			continue
		}
		for _, ref := range s.refs {
			if slices.Contains(p.Targets, ref.Type) {
				if err := ask(p.Code, "", ref.String()); err != nil {
					return nil, err
				}
			}
		}
		if len(s.identifiers) > 0 && slices.Contains(p.Targets, "Patient") && x.Supports(typ, p.Code, "identifier") {
			if err := ask(p.Code, "identifier", s.identifiers...); err != nil {
				return nil, err
			}
		}
	}
	for _, ref := range s.refs {
		if ref.Type == typ {
			if err := ask("_id", "", ref.ID); err != nil {
				return nil, err
			}
		}
	}
	return any, nil
}
