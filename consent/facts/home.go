package facts

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/tidwall/gjson"

	"carerecord/consent/policy"
	"carerecord/fhir/index"
	"carerecord/store"
)

// home returns the name whose partition a document is in, and the id of the Patient who certainly is in it too; empty for
// none (IDN-113). Both depend on the document and on Patients of its own source alone: a source system reads its rows back,
// and their order must not reveal what another source knows. The name is that of the Patient of its own source whom the
// document names first; or the id of the first Patient, if that is of another source or missing; or the one valid national
// number that the document names; or its own address.
func (k *Keyer) home(ctx context.Context, reader Reader, d store.Doc, o index.Ownership) (name, together string, err error) {
	switch {
	case d.Ref.Type == "Patient":
		return cmp.Or(k.homeNumber(d), d.Ref.ID), d.Ref.ID, nil
	case len(o.Patients) > 0 && k.Identity == nil:
		return o.Patients[0], o.Patients[0], nil
	case len(o.Patients) > 0:
		//law:home-patient
		return k.homeOfPatient(ctx, reader, d, o.Patients[0])
	}
	numbers := NameSet{}
	for _, id := range o.Identifiers {
		if name, ok := nationalName(k.Identity, id.System, id.Value); ok {
			numbers[name] = true
		}
	}
	if len(numbers) == 1 {
		for name := range numbers {
			return name, "", nil
		}
	}
	return d.Ref.String(), "", nil
}

// homeOfPatient returns the home of a document that names a Patient first.
func (k *Keyer) homeOfPatient(ctx context.Context, reader Reader, d store.Doc, id string) (name, together string, err error) {
	p, err := reader.Newest(ctx, store.Ref{Type: "Patient", ID: id})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", "", fmt.Errorf("look up where a Patient is: %w", err)
	}
	if err == nil && !p.Deleted() && p.Source == d.Source {
		if home := index.Names(p.Keys, index.HomePrefix()); len(home) == 1 {
			return home[0], id, nil
		}
	}
	return id, "", nil
}

// homeNumber returns the name of the number in whose partition a Patient is: the first one that counts; else the one valid
// number that is not marked as old. Empty for none, and for several that do not count. So all Patients of a person are in its
// partition, or in that of a number that its number superseded (IDN-134).
func (k *Keyer) homeNumber(d store.Doc) string {
	if k.Identity == nil {
		return ""
	}
	counting, _ := countingNumbers(k.Identity, d.Body, d.Source, d.Updated)
	if len(counting) > 0 {
		return counting[0].name
	}
	if numbers := validNumbers(k.Identity, d.Body); len(numbers) == 1 {
		return numbers[0]
	}
	return ""
}

// validNumbers returns the names of the valid national numbers of a Patient that are not marked as old, each once.
func validNumbers(i *policy.Identity, body []byte) []string {
	var out []string
	for _, id := range gjson.GetBytes(body, "identifier").Array() {
		if name, ok := nationalName(i, id.Get("system").Str, id.Get("value").Str); ok && id.Get("use").Str != "old" {
			out = append(out, name)
		}
	}
	return Distinct(out)
}
