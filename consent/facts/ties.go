package facts

import (
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// A source system merges Patients of its own by Patient.link: replaces, or replaced-by. A directive of one covers the other
// (IDN-130). The Patient with the link has a name of the tie among its identifiers (index.BearsKey); the other Patient has
// the name without a key, since it follows from its source and id. Links never join Patients to one person.

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
	for _, link := range gjson.GetBytes(body, "link").Array() {
		if typ := link.Get("type").Str; typ != "replaces" && typ != "replaced-by" {
			continue
		}
		if ref, ok := fhir.ParseRef(k.FHIRBase, link.Get("other.reference").Str); ok && ref.Type == "Patient" {
			out = append(out, TieName(source, ref.ID))
		}
	}
	return out
}

// Connects reports whether all Patients that have or had an identifier, by its name, may be one person: a valid national
// number, or a tie.
func (k *Keyer) Connects(name string) bool {
	return strings.HasPrefix(name, tiePrefix) || k.IsNational(name)
}
