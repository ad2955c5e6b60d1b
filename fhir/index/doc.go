// Package index turns resources into keys, and search parameters into predicates over those
// keys. It alone defines the grammar of keys and every encoding in them.
//
// An Indexer compiles the search parameters of a resource type when the type is first used
// (compile.go). Index reads a resource once (fhir/path), evaluates every expression, and makes
// keys of the values. Predicate turns one search parameter of a query into a store.Pred. The
// rules are those of search.html as the requirements SRCH-020 to SRCH-089 and SRCH-100 to
// SRCH-116 read them; a test names the number that it proves. The owners and the clinical date
// of a resource are read by the table owners.txt (owner.go), and from the resources that it
// embeds (embedded.go).
//
// U+0000 separates the parts of keys, so text must not contain it: fhir.Parse and Predicate
// refuse it.
//
// # The grammar, version 7
//
// A key begins with two bytes, big endian, then a class, and a value:
//
//	key = number class value             driving: indexed under the type of its document
//	    / (number + 0x8000) class value  verifying: not indexed
//	    / 0x00 fact value                a fact, driving
//	    / 0x00 0x00 letter value         a cross-type key: indexed under no type
//	    / 0x80 0x00 letter value         a fact, verifying
//
// The number identifies one parameter of one resource type (params.txt, append only), so a key
// implies its type. Numbers from 0x4000 on are those of parameters that a stored
// SearchParameter defines (consent/definitions): a number is never given twice. Facts and
// cross-type keys come from no search parameter: package consent/facts makes them and
// package consent queries them. In the tables 0 is a zero byte.
//
// The tables are generated from those of grammar.go:
// UPDATE=1 go test -run TestGrammar ./fhir/index. All keys of one Observation are in
// docs/storage-example.md.
//
// # Facts
//
// A document with the key … (in brackets the file of package consent that queries it):
//
//	1   type          is of this resource type [patientsteps.go]
//	2   person        is about this person: nhs: and an NHS number that counts, or another national number as in
//	                  fact 7, or the id of a Patient who is not joined [where.go]
//	3   name          has facts that are derived from something else, and is rekeyed when that changes: Type/id
//	                  of another document (an owner that does not exist, a document from which owners are
//	                  inherited, the Patient of a Binary) [catalog.go]
//	4   name          refers to a person who is not its owner: the id of a Patient, or nhs: and an NHS number
//	                  [where.go]
//	5   ods           came from the organisation with this ODS code [where.go]
//	6   fact          has a named fact, see below [where.go]
//	7   name          is about a person who is not among its owners, or names an owner in another way: the id of
//	                  a Patient who does not exist, nhs: and an NHS number, id: and system|value of another
//	                  identifier, url: and a reference to another server [facts/about.go]
//	8   name          is a Consent about this person, by an id of a Patient or a name as in fact 7
//	                  [register/register.go]
//	9   name          is a Patient, and this version or an older one has the identifier, as in fact 7; or a link
//	                  replaces or replaced-by: tied:, the ODS code of its source, a colon and the id of the
//	                  other Patient [register/identifiers.go]
//	0 h binary 0 ods  attaches the Binary with this id, and came from this organisation [facts/binary.go]
//	0 o person 0 ods  is about this person, is ordinary, is care given (owners.txt), and came from this
//	                  organisation [hidden.go]
//	0 x person        is about this person, and is not ordinary, has more than one owner, or has fact 7
//	                  [patientsteps.go]
//	0 w name          has fact 3 with the same name [dependents.go]
//	0 l name          has a label that hides it from some principals, and is about this person: an id of a
//	                  Patient, or a name as in fact 7 [facts/labels.go]
//	0 n person        is about this person, and refers to the person by its national number [persons.go]
//	0   name          is a Patient whose current version has this valid national number, by its name as in fact
//	                  7 [facts/tracked.go]
//	0   name          is a Patient in the partition of this name: its national number, or its id [facts/home.go]
//	10  person        is a Consent that staff or a patient recorded when its patient was this person [where.go]
//	0   id            is about the Patient with this id: it is that Patient, refers to it as its patient, or
//	                  inherits owners from a document that does [backlog/stale.go]
//
// # Named facts
//
// The value of fact 6 is one of these names. A document has it if:
//
//	resolved          every owner is known and exists, or its type has no owners
//	ordinary          it has no label R, V or REDACTED and no sensitivity label, and is not barred
//	released          it has no label NOPAT
//	shared            it is not a directive, and inherits no owners from one
//	directive-optout  it is an active Consent that opts out of sharing
//	directive-other   it is an active Consent with any other directive
//	restricted        it is a Patient with a label R, V, REDACTED or a sensitivity label
//	barred            it names a deleted Patient who had fact restricted
//	in-person         it is a Consent whose first version was made by a member of staff or a patient
//	points            it may refer to a document about the same person that a label hides from some principals
//	apart             whether staff see it depends on more than the directives of its home patient; every
//	                  document with points has it
//	by-number         it is about a person whom it names by a national number alone; others than its source see
//	                  it once the record has a joined Patient of the number
//	contradicted      it is a Patient whose counting number is not believed: the patient index has another birth
//	                  date, or the Patient has two numbers
//	two-numbers       it is contradicted because it has two numbers
//
// # Driving classes
//
// By kind of search parameter; in brackets the forms of a query that read the class:
//
//	token            c code                      as written: codes of case-sensitive systems (those of FHIR,
//	                                             UCUM), booleans, ids, uris [code, _sort; system|code of a
//	                                             parameter that has one system]
//	                 f code                      case folded: all other codes, strings, e-mail and web addresses
//	                                             [as c]
//	                 p digits                    telephone numbers without spaces . - ( ) [ ] [code, _sort]
//	                 s system 0 code             the code as in c or f; the system is empty if there is none
//	                                             [system|code, system|, |code]
//	string           a text                      folded, its first 256 bytes [text, :contains, :exact]
//	                 b text                      HumanName.family: the same, from each later word on [text]
//	                 z text                      Address.postalCode: folded, without spaces [text]
//	date             d unit lo hi                the interval [lo,hi) [every comparator, _sort]
//	                 e hi lo                     the same, end first, for unit z only [comparators that bound
//	                                             the end]
//	number, quantity n number                    in any unit; an interval for a Range, a comparator, or more
//	                                             than 34 digits [every comparator, _sort]
//	                 m hi lo                     the same, end first, of an interval [comparators that bound the
//	                                             end]
//	quantity         q dimension 0 number        of a UCUM unit, in base units [number|UCUM|code, _sort]
//	                 o dimension 0 hi lo         the same, end first, of an interval [comparators that bound the
//	                                             end]
//	reference        r address                   Type/id of a resource of this server, without version; else the
//	                                             address: other servers, URNs, canonicals without version
//	                                             [reference, chains, _has]
//	                 i system 0 value            Reference.identifier, the value case folded [:identifier]
//	                 j value                     the same without its system [:identifier]
//	                 h Type                      refers to a contained resource of that type [chains]
//	                 w                           refers to a Patient of this server whose partition may not be
//	                                             that of the document, or refers to somebody by a national
//	                                             number (made by consent/facts) [chains]
//	uri              u address                   as written; canonicals without version [uri, :above, :below,
//	                                             _sort]
//	composite        k code 0 key                of Observation: the code of the first part, case folded, then
//	                                             class and value of a driving key of the second, if it has one
//	                                             [code$value]
//	near             g cell latitude longitude   a position (position.go) [near]
//	_text, _content  x word                      folded, its first 64 bytes (words.go), if Config.IndexWords is
//	                                             set [words]
//
// # Verifying classes
//
// The same for keys that verify a candidate:
//
//	all              P                           the parameter has a value [:missing, ne of _filter]
//	token            W text                      text and display, folded [:text]
//	                 O system 0 code 0 value     an identifier with the coding of its type, the value case
//	                                             folded [:of-type]
//	string           X text                      whole, in canonical composition [:exact, _sort]
//	                 L text                      folded and whole, where longer than 256 bytes [text and
//	                                             :contains beyond 256 bytes]
//	reference, uri   V address                   with version: Type/id/_history/v or url|v [a value with a
//	                                             version]
//	reference        H Type 0 keys               the keys of a contained resource [chains]
//	quantity         Q system 0 code 0 number    of units that have no key q [number|system|code]
//	                 T unit 0 number             code, and unit text where it differs [number||code]
//	                 Y system 0 number           by its system alone [number|system|]
//	composite        G keys                      the keys of all parts of one element [a$b]
//
// # Rules of some classes
//
// A parameter whose values are all codes bound to one system has no s keys: the system is part
// of the parameter. A query with that system is one for the code alone; a query with another
// system finds nothing.
//
// A range over "s system 0" answers "system|"; a range over "a text" answers "starts with".
//
// # Encodings
//
// A number in the tables (classes n, q, Q, T, Y) is p and one number, or v and both ends of
// an interval.
//
// A moment is nine bytes: five of seconds since two days before the year 1, four of
// nanoseconds. All zero is the beginning, all 0xff the end of time. The unit of a date is its
// precision: a year, b month, c day, d minute, e second, f part of a second, g instant (one
// nanosecond wide), z interval. A date with a unit other than z is not wider than the unit, so
// an index finds it by its start alone. The Scan ranges of a store.Interval rely on that
// (dates.go).
//
// A number is twenty bytes: three of sign and exponent, seventeen of two decimal digits each
// (number.go). All zero and all 0xff are the ends of the number line.
//
// A quantity with a UCUM unit is converted (package ucum). Its dimension names the measured
// quantity in base units, for example "m-3.g" for mg/dL. The number is in base units, or an
// interval where 34 digits do not hold it. A query in any unit of the dimension is converted
// together with its range (SRCH-087). A unit that is not of UCUM, or that cannot be converted,
// is compared as written.
//
// A tuple is the keys of all parts of a composite in one element of its base, each after its
// length as a uvarint. Their numbers are 1 for the first part and so on. Keys that answer
// modifiers only are left out. A query tests whether one tuple satisfies the predicates of all
// parts, so that nothing matches across elements: it is a store.In whose set is given by a
// predicate (SRCH-120, 122). Parameters named combo have no keys: they query the two parameters
// that they unite. Driving keys of pairs are made for Observation; elsewhere the parameter of
// the first part drives.
//
// A contained resource has no entry of its own: a chain finds it through the references to it,
// as part of its container (SRCH-135). Its keys, without those of _id, are one key of each
// reference parameter that refers to it, encoded as a tuple. A contained resource that it
// refers to is nested in the same way. Where maxContainedDepth references or maxContainedBytes
// bytes do not suffice, the value is a single zero byte: the contained keys are unknown, and no
// chain finds the resource.
//
// Encoded moments and numbers sort by their bytes. Folding is described at fold.
package index
