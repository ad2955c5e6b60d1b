package facts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// A source system merges Patients of its own by Patient.link: replaces, or replaced-by. A directive of one covers the other
// (IDN-130). The Patient with the link has a name of the tie among its identifiers (index.BearsKey); the other Patient has
// the name without a key, since it follows from its source and id. Links never join Patients to one person, except those of the
// patient index: they say that a national number supersedes another (IDN-134, package aliases), and hold as long as it sends
// them.

// tiePrefix begins the names of ties. The source of both Patients, a colon, and the id of the Patient that a link refers to
// follow.
const tiePrefix = "tied:"

// TieName is the name of the ties to a Patient.
func TieName(source, id string) string { return tiePrefix + source + ":" + id }

// NamesBorne returns the names of the identifiers that a stored Patient has or had, and of its ties in both directions.
func NamesBorne(patient store.Doc) []string {
	return append(index.Names(patient.Keys, index.BearsPrefix()), TieName(patient.Source, patient.Ref.ID))
}

// TiedPatient returns the id in the name of a tie.
func TiedPatient(name string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(name, tiePrefix)
	return rest[strings.LastIndexByte(rest, ':')+1:], ok
}

// tieNames returns the names of the ties of a Patient.
func (k *Keyer) tieNames(body []byte, source string) []string {
	var out []string
	replaces, replacedBy := k.Links(body)
	for _, id := range append(replaces, replacedBy...) {
		out = append(out, TieName(source, id))
	}
	return out
}

// Links returns the ids of the Patients that a Patient replaces, and of those that replace it, from its Patient.link.
func (k *Keyer) Links(body []byte) (replaces, replacedBy []string) {
	for _, link := range gjson.GetBytes(body, "link").Array() {
		ref, ok := fhir.ParseRef(k.FHIRBase, link.Get("other.reference").Str)
		switch typ := link.Get("type").Str; {
		case !ok || ref.Type != "Patient":
		case typ == "replaces":
			replaces = append(replaces, ref.ID)
		case typ == "replaced-by":
			replacedBy = append(replacedBy, ref.ID)
		}
	}
	return replaces, replacedBy
}

// withMerged returns the names of a Patient's identifiers and ties with those of the Patients that its source merged with it, in
// any version of its links and directly or through others: a refusal under such a name covers it also after the other Patient
// was deleted (IDN-130). dependsOn are the addresses of these Patients. The patient index merges nobody.
func (k *Keyer) withMerged(ctx context.Context, reader Reader, d store.Doc, names []string) (all, dependsOn []string, err error) {
	if k.Identity.IsIndex(d.Source) {
		return names, nil, nil
	}
	prefix, visited := TieName(d.Source, ""), map[string]bool{d.Ref.ID: true}
	for n := 0; n < len(names); n++ {
		id, tie := strings.CutPrefix(names[n], prefix)
		if !tie || visited[id] {
			continue
		}
		visited[id] = true
		ref := store.Ref{Type: "Patient", ID: id}
		dependsOn = append(dependsOn, ref.String())
		merged, err := reader.Newest(ctx, ref)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, nil, fmt.Errorf("look up a merged Patient: %w", err)
		case merged.Source == d.Source:
			names = append(names, NamesBorne(merged)...)
		}
	}
	return names, dependsOn, nil
}

// IsIndexTie reports whether a name is that of a tie between Patients of the patient index.
func (k *Keyer) IsIndexTie(name string) bool {
	return k.Identity != nil && k.Identity.Index != "" && strings.HasPrefix(name, TieName(k.Identity.Index, ""))
}

// IndexTiePrefix returns the prefix of the keys that Patients of the patient index with links have, or the empty key without
// a patient index.
func (k *Keyer) IndexTiePrefix() store.Key {
	if k.Identity == nil || k.Identity.Index == "" {
		return ""
	}
	return index.BearsKey(TieName(k.Identity.Index, ""))
}

// Supersedes reports whether two stored Patients, with bodies, say that the number of one supersedes that of the other
// (IDN-134).
func (k *Keyer) Supersedes(current, old store.Doc) bool {
	survivor, former := k.AliasNumber(current), k.AliasNumber(old)
	if survivor == "" || former == "" || survivor == former || systemOf(survivor) != systemOf(former) {
		return false
	}
	replaces, _ := k.Links(current.Body)
	_, replacedBy := k.Links(old.Body)
	return slices.Contains(replaces, old.Ref.ID) || slices.Contains(replacedBy, current.Ref.ID)
}

// systemOf returns the part of the name of an identifier before the value.
func systemOf(name string) string { return name[:strings.LastIndexAny(name, ":|")+1] }

// AliasNumber returns the name of the number that a stored Patient may make an alias, or the surviving number of one
// (IDN-134): that by which a live Patient of the patient index is joined. It is empty for other Patients, and for a labelled
// one: a number that was superseded to protect somebody is never an alias.
func (k *Keyer) AliasNumber(d store.Doc) string {
	owners := index.Owners(d.Keys)
	if d.Deleted() || !k.Identity.IsIndex(d.Source) || !Has(d.Keys, index.FactOrdinary) || !Has(d.Keys, index.FactResolved) || len(owners) != 1 || !IsIdentifierName(owners[0]) {
		return ""
	}
	return owners[0]
}

// Connects reports whether all Patients that have or had an identifier, by its name, may be one person: a valid national
// number, or a tie.
func (k *Keyer) Connects(name string) bool {
	return strings.HasPrefix(name, tiePrefix) || k.IsNational(name)
}
