// Package index turns resources into keys and search parameters into
// predicates over those keys. The grammar of the keys and every encoding live
// here and nowhere else.
//
// An Indexer compiles the search parameters of a resource type when the type is
// first used (plan.go). Index reads a resource once (fhir/path), evaluates every
// expression, and makes keys of what it yields; Predicate makes of a query what
// store.Match asks of the keys. The rules are those of search.html as the
// requirements SRCH-020 to SRCH-089 and SRCH-100 to SRCH-116 read them; a test
// carries the number of what it proves. Whom a resource is about and when is
// read from owners.txt (owner.go), and from the resources that it embeds
// (embedded.go).
//
// Text must be free of U+0000, which fhir.Parse sees to for resources and
// Predicate for queries: it separates the parts of keys.
//
// # The grammar, version 6
//
// A key is two bytes, big endian, a class, and a value:
//
//	key     = number class value          driving
//	        / (number + 0x8000) class value   verifying
//	        / 0x00 fact name              the server's own facts (facts.go)
//	        / 0x00 0x00 letter name       the same, posted under no type
//
// The number stands for one parameter of one resource type, by params.txt, which
// is append only: a key implies its type. Numbers from 0x4000 on are those of
// parameters that a stored SearchParameter defines (define.go): whoever installs
// them gives each number once. Numbers 1 to 0xff are facts: 1 the
// type, 2 an owner, 3 an owner who is not there, 4 a mentioned patient, 5 the
// source organisation, 6 a named yes, 7 a Binary that is attached; their name follows without a class.
//
// Driving classes, with 0 for a zero byte:
//
//	token      c code          as written: code systems that tell case apart
//	                           (FHIR's own, UCUM), booleans, ids, uris
//	           f code          case folded: all other codes, strings, e-mail
//	           p digits        telephone numbers without spaces . - ( ) [ ]
//	           s system 0 code the code as in c or f; the system empty if none
//	string     a text          folded, its first 256 bytes
//	           b text          HumanName.family: the same from each later word on
//	           z text          Address.postalCode: folded, without spaces
//	date       d unit lo hi    the interval [lo,hi)
//	           e hi lo         again, for unit z only
//	number,    n "p" point     any unit
//	quantity   n "v" lo hi     a Range, a comparator, or more than 34 digits
//	           m hi lo         again, of an interval
//	           q dimension 0 number  of a UCUM unit: in base units, as behind n
//	           o dimension 0 hi lo   again, of an interval
//	reference  r Type/id       a resource of this server, without version
//	           r address       anything else: other servers, URNs, canonicals
//	                           without version
//	           i system 0 value  Reference.identifier, case folded
//	           j value         the same without its system
//	           h Type          to a contained resource of that type
//	           w               to a Patient of this server who is not the first
//	                           whom it is about: it stands in another place
//	uri        u address       canonicals without version
//	composite  k code 0 key    of Observation: the code of the first part, folded,
//	                           then class and value of a driving key of the second
//	near       g cell latitude longitude  near.go
//	_text,     x word          folded, its first 64 bytes (words.go), where words
//	_content                   have keys at all (Config.Words)
//
// Verifying classes:
//
//	all        P               the parameter has a value (:missing)
//	token      W text          text and display, folded (:text)
//	           O system 0 code 0 value  an identifier with its type (:of-type)
//	string     X text          whole, in canonical composition (:exact)
//	           L text          folded and whole, where longer than 256 bytes
//	reference, V address       with version: Type/id/_history/v or url|v
//	uri
//	reference  H Type 0 keys   the keys of a contained resource
//	quantity   Q system 0 code 0 number   number as behind class n; not of units
//	                           that have a key q
//	           T unit 0 number            code, and unit text where it differs
//	           Y system 0 number
//	composite  G tuple         the keys of all parts of one element
//
// A parameter whose values are all codes bound to one system has no s keys: the
// system is part of the parameter, and a query that names it is one for the
// code, a query that names another finds nothing.
//
// Range over "s system 0" is "system|", over "a text" is "starts with".
//
// # Encodings
//
// A moment is nine bytes: five of seconds since two days before the year 1, four
// of nanoseconds. All zero is the beginning, all 0xff the end of time. The unit
// of a date is its precision: a year, b month, c day, d minute, e second, f part
// of a second, g instant (one nanosecond wide), z interval. A date of one unit
// cannot be wider than the unit, so an index finds it by its start alone; the
// ranges of a Span's Scan are made that way (dates.go).
//
// A number is twenty bytes: three of sign and exponent, seventeen of two decimal
// digits each (number.go). All zero and all 0xff are the ends of the number line.
//
// A unit of UCUM is converted (package ucum): its dimension names what it
// measures, "m-3.g" of mg/dL, and the number is in base units, an interval where
// 34 digits do not hold it. A query in any unit of the dimension is converted with
// its range, so that both meet there (SRCH-087). What is no unit of UCUM, or a unit
// that cannot be converted, is compared as written.
//
// A tuple is the keys that the parts of a composite have in one element of its
// base, each behind its length as a uvarint. Their numbers are 1 for the first part and so
// on; keys that answer modifiers only are left out. A query asks whether one tuple
// satisfies the predicates of all parts, so that nothing is matched across
// elements: store.In with a set that is given by a predicate (SRCH-120, 122).
// Parameters named combo have no keys: they ask the other two. Driving keys of
// pairs are made for Observation; elsewhere the parameter of the first part drives.
//
// A contained resource has no keys of its own: it is found by what refers to it, as
// part of its container (SRCH-135). Its keys, those of _id left out, are one key
// of each reference parameter that leads to it, put together as tuples are, and a
// chain asks whether they satisfy what it asks of its targets. A contained resource
// that it refers to is inside again. Where containedDeep references or containedRoom
// bytes do not suffice, the one key says 0: nothing is known of what is inside, and
// no chain finds it.
//
// Both orders are those of the bytes. Folding is described at fold.
package index
