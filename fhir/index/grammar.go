package index

import "carerecord/store"

// The tables of this file define the grammar of the keys for Decode and Describe. The tables
// of the package documentation are generated from them, and a test compares both.

// piece is one part of the value of a key. A piece of kind asText ends at a zero byte or at the
// end of the key. Every other kind has a fixed length or is the rest of the key.
type piece struct {
	name string
	kind pieceKind
}

type pieceKind byte

const (
	asText   pieceKind = iota
	asUnit             // one byte: the precision of a date
	asMoment           // dateWidth bytes
	asEnd              // numberWidth bytes: a number, or an end of the number line
	asAmount           // p and a number, or v and both ends of an interval
	asCell             // cellWidth bytes: a cell of the grid of position.go
	asDegree           // eight bytes: latitude or longitude
	asKey              // class and value of a driving key, or nothing
	asKeys             // keys, each after its length as a uvarint
	asParts            // the same, where the numbers are those of parts: 1, 2 …
)

// keyFact is one of the server's own facts. Its keys are prefix, then value.
type keyFact struct {
	prefix    store.Key
	name      string // for Describe
	value     []piece
	meaning   string // what a document with the key is
	queriedBy string // file of package consent that queries it
}

func facts() []keyFact {
	name := []piece{{"name", asText}}
	return []keyFact{
		{factType, "type", []piece{{"type", asText}}, "is of this resource type", "patientsteps.go"},
		{factOwner, "owner", []piece{{"person", asText}}, "is about this person: nhs: and an NHS number that counts, or another national number as in fact 7, or the id of a Patient who is not joined", "where.go"},
		{factDependsOn, "depends on", name, "has facts that are derived from something else, and is rekeyed when that changes: Type/id of another document (an owner that does not exist, a document from which owners are inherited, the Patient of a Binary)", "catalog.go"},
		{factMention, "mentions", name, "refers to a person who is not its owner: the id of a Patient, or nhs: and an NHS number", "where.go"},
		{factSource, "source", []piece{{"ods", asText}}, "came from the organisation with this ODS code", "where.go"},
		{factNamed, "fact", []piece{{"fact", asText}}, "has a named fact, see below", "where.go"},
		{factAbout, "about", name, "is about a person who is not among its owners, or names an owner in another way: the id of a Patient who does not exist, nhs: and an NHS number, id: and system|value of another identifier, url: and a reference to another server", "facts/about.go"},
		{factCovers, "covers", name, "is a Consent about this person, by an id of a Patient or a name as in fact 7", "register/register.go"},
		{factBears, "has identifier", name, "is a Patient, and this version or an older one has the identifier, as in fact 7; or a link replaces or replaced-by: tied:, the ODS code of its source, a colon and the id of the other Patient", "register/identifiers.go"},
		{crossAttaches, "attaches", []piece{{"binary", asText}, {"ods", asText}}, "attaches the Binary with this id, and came from this organisation", "facts/binary.go"},
		{crossSourceRow, "own source", []piece{{"person", asText}, {"ods", asText}}, "is about this person, is ordinary, is care given (owners.txt), and came from this organisation", "hidden.go"},
		{crossIrregular, "irregular", []piece{{"person", asText}}, "is about this person, and is not ordinary, has more than one owner, or has fact 7", "patientsteps.go"},
		{crossDependsOn, "depends on (cross-type)", name, "has fact 3 with the same name", "dependents.go"},
		{crossLabelled, "labelled", name, "has a label that hides it from some principals, and is about this person: an id of a Patient, or a name as in fact 7", "facts/labels.go"},
		{crossByNumber, "names number", []piece{{"person", asText}}, "is about this person, and refers to the person by its national number", "persons.go"},
		{factNumber, "has number", name, "is a Patient whose current version has this valid national number, by its name as in fact 7", "facts/tracked.go"},
		{factHome, "home", name, "is a Patient in the partition of this name: its national number, or its id", "facts/home.go"},
		{factMaker, "made about", []piece{{"person", asText}}, "is a Consent that staff or a patient recorded when its patient was this person", "where.go"},
		{factPatient, "patient", []piece{{"id", asText}}, "is about the Patient with this id: it is that Patient, refers to it as its patient, or inherits owners from a document that does", "backlog/stale.go"},
	}
}

// The names of facts of number 6. Package consent decides which documents have them.
const (
	FactResolved         = "resolved"
	FactOrdinary         = "ordinary"
	FactReleased         = "released"
	FactShared           = "shared"
	FactOptOut           = "directive-optout"
	FactDirective        = "directive-other"
	FactRestricted       = "restricted"
	FactBarred           = "barred"
	FactInPerson         = "in-person"
	FactRefersToLabelled = "points"
	FactIrregular        = "apart"
	FactByNumber         = "by-number"
	FactContradicted     = "contradicted"
	FactTwoNumbers       = "two-numbers"
)

// NamedFact is a name that FactKey takes, and when a document has it.
type NamedFact struct{ Name, Meaning string }

// NamedFacts returns all named facts.
func NamedFacts() []NamedFact {
	return []NamedFact{
		{FactResolved, "every owner is known and exists, or its type has no owners"},
		{FactOrdinary, "it has no label R, V or REDACTED and no sensitivity label, and is not barred"},
		{FactReleased, "it has no label NOPAT"},
		{FactShared, "it is not a directive, and inherits no owners from one"},
		{FactOptOut, "it is an active Consent that opts out of sharing"},
		{FactDirective, "it is an active Consent with any other directive"},
		{FactRestricted, "it is a Patient with a label R, V, REDACTED or a sensitivity label"},
		{FactBarred, "it names a deleted Patient who had fact restricted"},
		{FactInPerson, "it is a Consent whose first version was made by a member of staff or a patient"},
		{FactRefersToLabelled, "it may refer to a document about the same person that a label hides from some principals"},
		{FactIrregular, "whether staff see it depends on more than the directives of its home patient; every document with points has it"},
		{FactByNumber, "it is about a person whom it names by a national number alone; others than its source see it once the record has a joined Patient of the number"},
		{FactContradicted, "it is a Patient whose counting number is not believed: the patient index has another birth date, or the Patient has two numbers"},
		{FactTwoNumbers, "it is contradicted because it has two numbers"},
	}
}

// keyClass is a class of keys of search parameters: number, class, value.
type keyClass struct {
	class     byte
	verifies  bool
	kinds     string // of search parameters
	value     []piece
	meaning   string
	queriedBy string // forms of a query that read it
}

func classes() []keyClass {
	code, system := piece{"code", asText}, piece{"system", asText}
	text, value := piece{"text", asText}, piece{"value", asText}
	lo, hi := piece{"lo", asMoment}, piece{"hi", asMoment}
	low, high, amount := piece{"lo", asEnd}, piece{"hi", asEnd}, piece{"number", asAmount}
	dimension, address := piece{"dimension", asText}, piece{"address", asText}
	typ := piece{"Type", asText}
	return []keyClass{
		{classCode, false, "token", []piece{code}, "as written: codes of case-sensitive systems (those of FHIR, UCUM), booleans, ids, uris", "code, _sort; system|code of a parameter that has one system"},
		{classFolded, false, "token", []piece{code}, "case folded: all other codes, strings, e-mail and web addresses", "as c"},
		{classPhone, false, "token", []piece{{"digits", asText}}, "telephone numbers without spaces . - ( ) [ ]", "code, _sort"},
		{classSystem, false, "token", []piece{system, code}, "the code as in c or f; the system is empty if there is none", "system|code, system|, |code"},
		{classStart, false, "string", []piece{text}, "folded, its first 256 bytes", "text, :contains, :exact"},
		{classWord, false, "string", []piece{text}, "HumanName.family: the same, from each later word on", "text"},
		{classPostal, false, "string", []piece{text}, "Address.postalCode: folded, without spaces", "text"},
		{classDate, false, "date", []piece{{"unit", asUnit}, lo, hi}, "the interval [lo,hi)", "every comparator, _sort"},
		{classDateEnd, false, "date", []piece{hi, lo}, "the same, end first, for unit z only", "comparators that bound the end"},
		{classNumber, false, "number, quantity", []piece{amount}, "in any unit; an interval for a Range, a comparator, or more than 34 digits", "every comparator, _sort"},
		{classNumberEnd, false, "number, quantity", []piece{high, low}, "the same, end first, of an interval", "comparators that bound the end"},
		{classCanonical, false, "quantity", []piece{dimension, amount}, "of a UCUM unit, in base units", "number|UCUM|code, _sort"},
		{classCanonicalEnd, false, "quantity", []piece{dimension, high, low}, "the same, end first, of an interval", "comparators that bound the end"},
		{classRef, false, "reference", []piece{address}, "Type/id of a resource of this server, without version; else the address: other servers, URNs, canonicals without version", "reference, chains, _has"},
		{classLogical, false, "reference", []piece{system, value}, "Reference.identifier, the value case folded", ":identifier"},
		{classLogicalValue, false, "reference", []piece{value}, "the same without its system", ":identifier"},
		{classContainedType, false, "reference", []piece{typ}, "refers to a contained resource of that type", "chains"},
		{classOtherPartition, false, "reference", nil, "refers to a Patient of this server whose partition may not be that of the document, or refers to somebody by a national number (made by consent/facts)", "chains"},
		{classURI, false, "uri", []piece{address}, "as written; canonicals without version", "uri, :above, :below, _sort"},
		{classPair, false, "composite", []piece{code, {"key", asKey}}, "of Observation: the code of the first part, case folded, then class and value of a driving key of the second, if it has one", "code$value"},
		{classPosition, false, "near", []piece{{"cell", asCell}, {"latitude", asDegree}, {"longitude", asDegree}}, "a position (position.go)", "near"},
		{classContent, false, "_text, _content", []piece{{"word", asText}}, "folded, its first 64 bytes (words.go), if Config.IndexWords is set", "words"},

		{classPresent, true, "all", nil, "the parameter has a value", ":missing, ne of _filter"},
		{classText, true, "token", []piece{text}, "text and display, folded", ":text"},
		{classIdentifierType, true, "token", []piece{system, code, value}, "an identifier with the coding of its type, the value case folded", ":of-type"},
		{classExact, true, "string", []piece{text}, "whole, in canonical composition", ":exact, _sort"},
		{classLong, true, "string", []piece{text}, "folded and whole, where longer than 256 bytes", "text and :contains beyond 256 bytes"},
		{classVersion, true, "reference, uri", []piece{address}, "with version: Type/id/_history/v or url|v", "a value with a version"},
		{classContainedKeys, true, "reference", []piece{typ, {"keys", asKeys}}, "the keys of a contained resource", "chains"},
		{classUnit, true, "quantity", []piece{system, code, amount}, "of units that have no key q", "number|system|code"},
		{classUnitText, true, "quantity", []piece{{"unit", asText}, amount}, "code, and unit text where it differs", "number||code"},
		{classUnitSystem, true, "quantity", []piece{system, amount}, "by its system alone", "number|system|"},
		{classTuple, true, "composite", []piece{{"keys", asParts}}, "the keys of all parts of one element", "a$b"},
	}
}
