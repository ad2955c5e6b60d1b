package facts

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidwall/gjson"

	"carerecord/consent/policy"
	"carerecord/fhir/index"
	"carerecord/store"
)

// home returns the partition of a document, and the id of the Patient who certainly is in the same partition; empty
// for none (IDN-113). The partition depends on the document and on Patients of its own source alone: a source system
// reads its rows back, and their order must not reveal what another source knows. It is that of the one valid national
// number that the own-source Patient bears, whom the document names first, joined or not; else of the id of that
// Patient; else of the one valid national number that the document names; else of its own address.
func (k *Keyer) home(ctx context.Context, reader Reader, d store.Doc, o index.Ownership) (p store.Partition, patient string, err error) {
	switch {
	case d.Ref.Type == "Patient":
		if number := onlyNumber(k.Identity, d.Body); number != "" {
			return index.PartitionOf(number), d.Ref.ID, nil
		}
		return index.PartitionOf(d.Ref.ID), d.Ref.ID, nil
	case len(o.Patients) > 0 && k.Identity == nil:
		return index.PartitionOf(o.Patients[0]), o.Patients[0], nil
	case len(o.Patients) > 0:
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
			return index.PartitionOf(name), "", nil
		}
	}
	return index.PartitionOf(d.Ref.String()), "", nil
}

// homeOfPatient returns the partition of a document that names a Patient first.
func (k *Keyer) homeOfPatient(ctx context.Context, reader Reader, d store.Doc, id string) (store.Partition, string, error) {
	p, err := reader.Newest(ctx, store.Ref{Type: "Patient", ID: id})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, "", fmt.Errorf("look up where a Patient is: %w", err)
	}
	if err == nil && !p.Deleted() && p.Source == d.Source {
		if numbers := index.Names(p.Keys, index.NumberPrefix()); len(numbers) == 1 {
			return index.PartitionOf(numbers[0]), id, nil
		}
		return index.PartitionOf(id), id, nil
	}
	return index.PartitionOf(id), "", nil
}

// onlyNumber returns the name of the one valid national number of a Patient that is not marked as old, or "".
func onlyNumber(i *policy.Identity, body []byte) string {
	numbers := validNumbers(i, body)
	if len(numbers) != 1 {
		return ""
	}
	return numbers[0]
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
