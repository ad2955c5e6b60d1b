package index

import (
	"slices"
	"strings"

	"carerecord/store"
)

// Prefixes of the server's own facts about a document: as driving keys the numbers 1 to 0xff, as
// cross-type keys two zero bytes and a letter, as verifying keys 0x80, a zero byte and a letter. No
// search parameter makes them.
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
	factMaker      = "\x00\x0a"
	crossAttaches  = "\x00\x00h"
	crossSourceRow = "\x00\x00o"
	crossIrregular = "\x00\x00x"
	crossDependsOn = "\x00\x00w"
	crossLabelled  = "\x00\x00l"
	crossByNumber  = "\x00\x00n"
	factPatient    = "\x80\x00p"
	factNumber     = "\x80\x00n"
	factHome       = "\x80\x00h"
)

// TypeKey is the key of every document of a type.
func TypeKey(typ string) store.Key { return factType + store.Key(typ) }

// OwnerKey says that a document is about a person, by the person key: the name of a national number, as
// in AboutKey, or the id of a Patient who is not joined (IDN-110).
func OwnerKey(person string) store.Key { return factOwner + store.Key(person) }

// OwnerPrefix is the prefix of OwnerKey, followed by the person key.
func OwnerPrefix() store.Key { return factOwner }

// PatientKey says that a document is about the Patient with an id: it is that Patient, refers to it at an
// owner position, or inherits owners from a document that does. It drives no index: its documents are
// found by the OwnerKey of the Patient's person.
func PatientKey(id string) store.Key { return factPatient + store.Key(id) }

// PatientPrefix is the prefix of PatientKey, followed by the id.
func PatientPrefix() store.Key { return factPatient }

// NumberKey says that the current version of a Patient has a valid national number, by its name as in
// AboutKey, whether it counts or not. It drives no index; BearsKey does.
func NumberKey(name string) store.Key { return factNumber + store.Key(name) }

// NumberPrefix is the prefix of NumberKey, followed by the name.
func NumberPrefix() store.Key { return factNumber }

// MakerKey says that a Consent was recorded in person about a person, by person key: that of its patient when it was made.
func MakerKey(person string) store.Key { return factMaker + store.Key(person) }

// MakerPrefix is the prefix of MakerKey, followed by the person key.
func MakerPrefix() store.Key { return factMaker }

// HomeKey says that a Patient is in the partition of a name (IDN-113).
func HomeKey(name string) store.Key { return factHome + store.Key(name) }

// HomePrefix is the prefix of HomeKey, followed by the name.
func HomePrefix() store.Key { return factHome }

// Owners returns the sorted person keys of the people whom a document is about, from its keys.
func Owners(keys []store.Key) []string { return Names(keys, factOwner) }

// Names returns, sorted, the rest of each key with a prefix.
func Names(keys []store.Key, prefix store.Key) []string {
	var out []string
	i, _ := slices.BinarySearch(keys, prefix)
	for ; i < len(keys) && len(keys[i]) >= len(prefix) && keys[i][:len(prefix)] == prefix; i++ {
		out = append(out, string(keys[i][len(prefix):]))
	}
	return out
}

// DependsOnKey says that the facts of a document are derived from another document, by its address
// (Type/id). When that changes, the document is rekeyed. Documents about an existing Patient depend on it
// without the key: they have a PatientKey.
func DependsOnKey(name string) store.Key { return factDependsOn + store.Key(name) }

// DependsOnPrefix is the prefix of DependsOnKey, followed by the name.
func DependsOnPrefix() store.Key { return factDependsOn }

// CrossTypeDependsOnKey is the cross-type key of the documents that have the DependsOnKey of a
// name.
func CrossTypeDependsOnKey(name string) store.Key { return crossDependsOn + store.Key(name) }

// AboutKey names a person whom a document is about without being an owner, or another name
// of an owner: the id of a Patient who does not exist, "nhs:" and an NHS number, "id:" and
// system|value of another identifier, "url:" and a reference to another server. A directive
// for such a name covers the document.
func AboutKey(name string) store.Key { return factAbout + store.Key(name) }

// AboutPrefix is the prefix of AboutKey, followed by the name.
func AboutPrefix() store.Key { return factAbout }

// CoversKey names a person whom a Consent is about: the id of a Patient, or a name as in
// AboutKey.
func CoversKey(name string) store.Key { return factCovers + store.Key(name) }

// CoversPrefix is the prefix of CoversKey, followed by the name.
func CoversPrefix() store.Key { return factCovers }

// BearsKey says that this version of a Patient or an older one has an identifier, named as in
// AboutKey.
func BearsKey(name string) store.Key { return factBears + store.Key(name) }

// BearsPrefix is the prefix of BearsKey, followed by the name.
func BearsPrefix() store.Key { return factBears }

// MentionKey says that a document refers to a person who is not its owner: by the id of a Patient, or by
// the name of a national number, as in AboutKey.
func MentionKey(name string) store.Key { return factMention + store.Key(name) }

// MentionPrefix is the prefix of MentionKey, followed by the name.
func MentionPrefix() store.Key { return factMention }

// AttachesKey is the cross-type key of the documents of a source (ODS code) that attach a
// Binary.
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

// SourceRowKey is the cross-type key of the ordinary documents about a person, by person key, that are care
// given (IsCare) and came from an organisation (ODS code). One query finds out whether there is one of any type.
func SourceRowKey(person, ods string) store.Key {
	return crossSourceRow + store.Key(person+"\x00"+ods)
}

// IrregularKey is the cross-type key of the documents about a person, by person key, that may be withheld
// for another reason than the directives of this person: a label, or another owner.
func IrregularKey(person string) store.Key { return crossIrregular + store.Key(person) }

// LabelledKey is the cross-type key of the documents with a label that hides them from some
// principals, one for each person whom they are about: the id of a Patient, or a name as in
// AboutKey.
func LabelledKey(name string) store.Key { return crossLabelled + store.Key(name) }

// LabelledPrefix is the prefix of LabelledKey, followed by the name.
func LabelledPrefix() store.Key { return crossLabelled }

// NamesNumberKey is the cross-type key of the documents about a person that refer to the person by its national number,
// by person key.
func NamesNumberKey(person string) store.Key { return crossByNumber + store.Key(person) }

// SourceKey says which organisation a document came from, by ODS code.
func SourceKey(ods string) store.Key { return factSource + store.Key(ods) }

// SourcePrefix is the prefix of SourceKey, followed by the ODS code.
func SourcePrefix() store.Key { return factSource }

// FactKey says that a named fact holds: "shared", "released". Names are lower case letters and
// hyphens.
func FactKey(name string) store.Key { return factNamed + store.Key(name) }

// IsFact reports whether a key is one of the server's own facts.
func IsFact(k store.Key) bool {
	return k != "" && k[0] == 0 || len(k) > 1 && k[0] == verifies>>8 && k[1] == 0
}
