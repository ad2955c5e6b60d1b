package law_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/fhir/index"
	"carerecord/store"
	"carerecord/store/storetest"
)

// visiblePart makes the second side: a store with only the visible versions, projected for the requester, with
// new keys. The facts of the server are copied. For a source system only those are that do not
// depend on Patients of other sources. in is the region of the server.
func visiblePart(t testing.TB, e *evaluator, in region) *side {
	t.Helper()
	return serve(t, visibleStore(t, e), in)
}

// visibleStore makes the store of a visible part.
func visibleStore(t testing.TB, e *evaluator) *storetest.Reference {
	t.Helper()
	x, err := indexer()
	if err != nil {
		t.Fatal(err)
	}
	var docs []store.Doc
	for _, v := range e.versions {
		if !e.isVisible(v) {
			continue
		}
		d := v.Doc
		body := e.shownBody(v)
		row, err := x.Index(d.Ref.Type, d.Ref.ID, d.Updated, body)
		if err != nil {
			t.Fatal(err)
		}
		home, patient := e.homeOf(v)
		keys := slices.Concat([]store.Key{index.TypeKey(d.Ref.Type)}, row.Keys, index.OtherPartitionKeys(row.Keys, patient, func(system, number string) bool {
			return isNational(system, number)
		}))
		for _, k := range d.Keys {
			if index.IsFact(k) && (!e.requester.sourceSystem || ownFact(k)) {
				keys = append(keys, k)
			}
		}
		d.Keys = store.Sorted(keys)
		d.RowID = store.RowID{Partition: index.PartitionOf(home), SortKey: index.SortKeyOf(row.Date, d.Ref.Type, d.Ref.ID)}
		if !d.Deleted() {
			d.Body = body
		}
		docs = append(docs, d)
	}
	r := storetest.NewReference(nil)
	r.Seed(docs)
	return r
}

// shownBody returns the body of a version, of a tombstone that of the version before it, without the elements that are cut for
// the requester.
func (e *evaluator) shownBody(v *version) []byte {
	body := v.Body
	if v.Deleted() {
		body = e.bodyBefore(v)
	}
	body, _ = e.cutByLabels(v, body)
	if !e.requester.staff && !e.requester.sourceSystem {
		body = cutForPatient(body)
	}
	return e.cutByRules(v, body)
}

// isNational reports whether an identifier is an NHS number.
func isNational(system, number string) bool {
	return system == nhsSystem && validNumber(numberName(number))
}

// ownFact reports whether a fact depends on documents of one source alone, or is told to the source (IDN-104).
func ownFact(k store.Key) bool {
	return k == index.FactKey(index.FactContradicted) || k == index.FactKey(index.FactTwoNumbers) || slices.ContainsFunc([]store.Key{index.SourcePrefix(), index.NumberPrefix(), index.HomePrefix()}, func(prefix store.Key) bool {
		return strings.HasPrefix(string(k), string(prefix))
	})
}

// homeOf returns the name whose partition a version belongs to, and the id of the Patient who is certainly there too,
// empty for none (IDN-113).
func (e *evaluator) homeOf(v *version) (name, patient string) {
	if v.Ref.Type == "Patient" {
		return e.homeOfPatient(v), v.Ref.ID
	}
	var ids, numbers []string
	for _, path := range ownerElements[v.Ref.Type] {
		for _, reference := range valuesAt(v.decoded, path) {
			ids, numbers = append(ids, patientOf(reference)), append(numbers, numberName(numberOf(reference)))
		}
	}
	if v.embedded != nil {
		ids = append(ids, v.embedded.ids...)
		for _, number := range v.embedded.numbers {
			numbers = append(numbers, numberName(number))
		}
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == "" })
	if len(ids) == 0 {
		return onlyOne(slices.DeleteFunc(numbers, func(name string) bool { return !validNumber(name) }), v.Ref.String()), ""
	}
	first := slices.Min(ids)
	if p := e.newest["Patient/"+first]; p != nil && !p.Deleted() && p.Source == v.Source {
		return e.homeOfPatient(p), first
	}
	return first, ""
}

// homeOfPatient returns the name whose partition a Patient is in: the first number that counts; else the one valid number
// that is not old; else its id.
func (e *evaluator) homeOfPatient(v *version) string {
	if counting := e.countingNumbers(v); len(counting) > 0 {
		return counting[0]
	}
	return onlyOne(v.validNumbers(), v.Ref.ID)
}

// onlyOne returns the one distinct value of a list, or other.
func onlyOne(list []string, other string) string {
	slices.Sort(list)
	if list = slices.Compact(list); len(list) == 1 {
		return list[0]
	}
	return other
}

// bodyBefore returns the last body before a tombstone.
func (e *evaluator) bodyBefore(v *version) []byte {
	var body []byte
	for _, other := range e.versions {
		if other.Ref == v.Ref && other.Version < v.Version && !other.Deleted() {
			body = other.Body
		}
	}
	return body
}

// cutForPatient removes the elements from a body that are not shown to patients (CON-1102): narrative,
// Annotation, markdown and Attachment, where they occur in these worlds.
func cutForPatient(body []byte) []byte {
	out, _ := cutValue(gjson.ParseBytes(body))
	return out
}

func cutValue(v gjson.Result) ([]byte, bool) {
	switch {
	case v.IsObject():
		out := []byte{'{'}
		v.ForEach(func(key, value gjson.Result) bool {
			switch name := key.Str; {
			case name == "text" && value.IsObject(), name == "note", name == "photo", name == "attachment", name == "valueMarkdown":
				return true
			}
			if raw, left := cutValue(value); left {
				if len(out) > 1 {
					out = append(out, ',')
				}
				out = append(append(append(out, key.Raw...), ':'), raw...)
			}
			return true
		})
		return append(out, '}'), len(out) > 1 && !bareExtension(out)
	case v.IsArray():
		out := []byte{'['}
		for _, item := range v.Array() {
			if raw, left := cutValue(item); left {
				if len(out) > 1 {
					out = append(out, ',')
				}
				out = append(out, raw...)
			}
		}
		return append(out, ']'), len(out) > 1
	}
	return []byte(v.Raw), true
}

// bareExtension reports whether an Extension has only its url.
func bareExtension(raw []byte) bool {
	keys := gjson.GetBytes(raw, "@keys").Array()
	return len(keys) == 1 && keys[0].Str == "url"
}
