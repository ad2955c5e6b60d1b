package index

import (
	"slices"
	"strings"

	"carerecord/store"
)

// The server's own facts about a document, as driving keys: parameter numbers
// 1 to 0xff, then the name. None of them comes from the body by a search
// parameter.
const (
	factType       = "\x00\x01"
	factOwner      = "\x00\x02"
	factDependsOn  = "\x00\x03"
	factMention    = "\x00\x04"
	factSource     = "\x00\x05"
	factNamed      = "\x00\x06"
	factAbout      = "\x00\x07"
	factCovers     = "\x00\x08"
	factBears      = "\x00\x09"
	crossAttaches  = "\x00\x00h"
	crossSourceRow = "\x00\x00o"
	crossIrregular = "\x00\x00x"
	crossDependsOn = "\x00\x00w"
	crossLabelled  = "\x00\x00l"
)

// TypeKey is the key of every document of a type.
func TypeKey(typ string) store.Key { return factType + store.Key(typ) }

// OwnerKey says that a document is about a patient.
func OwnerKey(patientID string) store.Key { return factOwner + store.Key(patientID) }

// OwnerPrefix begins every OwnerKey; behind it stands the patient's id.
func OwnerPrefix() store.Key { return factOwner }

// Owners returns the ids of the patients whom a document is about, read from its
// keys, sorted.
func Owners(keys []store.Key) []string { return Names(keys, factOwner) }

// Names returns what stands behind a prefix in a document's keys, sorted.
func Names(keys []store.Key, prefix store.Key) []string {
	var out []string
	i, _ := slices.BinarySearch(keys, prefix)
	for ; i < len(keys) && len(keys[i]) >= len(prefix) && keys[i][:len(prefix)] == prefix; i++ {
		out = append(out, string(keys[i][len(prefix):]))
	}
	return out
}

// DependsOnKey says that the facts of a document follow from something else: the
// address of a document (Type/id), or an identifier of a Patient ("nhs:" and the
// NHS number). When that changes, the document is keyed anew.
func DependsOnKey(name string) store.Key { return factDependsOn + store.Key(name) }

// DependsOnPrefix begins every DependsOnKey; behind it stands the name.
func DependsOnPrefix() store.Key { return factDependsOn }

// CrossTypeDependsOnKey is the common key (store.Key.CrossType) of the documents that have the
// DependsOnKey of a name: they may be of any type.
func CrossTypeDependsOnKey(name string) store.Key { return crossDependsOn + store.Key(name) }

// AboutKey names somebody whom a document is about beside its owners, or as whom it
// names an owner: the id of a Patient who is not there, "nhs:" and an NHS number,
// "id:" and system|value of another identifier, "url:" and a reference that leads to
// another server. A directive by such a name covers the document.
func AboutKey(name string) store.Key { return factAbout + store.Key(name) }

// AboutPrefix begins every AboutKey; behind it stands the name.
func AboutPrefix() store.Key { return factAbout }

// CoversKey says whom a Consent is about, in the names of AboutKey or as the id of a
// Patient.
func CoversKey(name string) store.Key { return factCovers + store.Key(name) }

// CoversPrefix begins every CoversKey; behind it stands the name.
func CoversPrefix() store.Key { return factCovers }

// BearsKey says that a version of a Patient, this one or an older one, bears an
// identifier, in the names of AboutKey.
func BearsKey(name string) store.Key { return factBears + store.Key(name) }

// BearsPrefix begins every BearsKey; behind it stands the name.
func BearsPrefix() store.Key { return factBears }

// MentionKey says that a document names a patient who is no owner of it.
func MentionKey(patientID string) store.Key { return factMention + store.Key(patientID) }

// MentionPrefix begins every MentionKey; behind it stands the patient's id.
func MentionPrefix() store.Key { return factMention }

// AttachesKey is the common key (store.Key.CrossType) of the documents of a source (ODS code)
// that attach a Binary, by the Binary's id: they may be of any type.
func AttachesKey(binaryID, ods string) store.Key {
	//law:attaches-key
	return crossAttaches + store.Key(binaryID+"\x00"+ods)
}

// Attached returns the ids of the Binaries that a document attaches, from its keys.
func Attached(keys []store.Key) []string {
	ids := Names(keys, crossAttaches)
	for i, name := range ids {
		ids[i], _, _ = strings.Cut(name, "\x00")
	}
	return ids
}

// SourceRowKey is the common key (store.Key.CrossType) of the ordinary documents about a
// patient that came from an organisation, by ODS code: whether there is one is asked
// of all types at once.
func SourceRowKey(patientID, ods string) store.Key {
	return crossSourceRow + store.Key(patientID+"\x00"+ods)
}

// IrregularKey is the common key of the documents about a patient that may be withheld
// for another reason than what this patient wishes: by a label, or because they are
// about somebody else too.
func IrregularKey(patientID string) store.Key { return crossIrregular + store.Key(patientID) }

// LabelledKey is the common key (store.Key.CrossType) of the documents that a label of
// their own hides from somebody, for each name of somebody whom they are about: the id
// of a Patient, or a name of AboutKey.
func LabelledKey(name string) store.Key { return crossLabelled + store.Key(name) }

// LabelledPrefix begins every LabelledKey; behind it stands the name.
func LabelledPrefix() store.Key { return crossLabelled }

// SourceKey says which organisation a document came from, by ODS code.
func SourceKey(ods string) store.Key { return factSource + store.Key(ods) }

// SourcePrefix begins every SourceKey; behind it stands the ODS code.
func SourcePrefix() store.Key { return factSource }

// FactKey is a named yes of the server: "open", "released". Names are lower
// case letters and hyphens.
func FactKey(name string) store.Key { return factNamed + store.Key(name) }

// IsFact reports whether a key is one of the server's own facts.
func IsFact(k store.Key) bool { return k != "" && k[0] == 0 }
