package policy

import (
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
	"carerecord/fhir/r4"
)

// Identifier is an identifier without surrounding blanks.
type Identifier struct{ System, Value string }

// Subjects are the persons whom a Consent may mean (CON-641). Each list is sorted and distinct.
type Subjects struct {
	// IDs are Patients of this server.
	IDs []string
	// Numbers are NHS numbers of ten digits. The check digit is not tested where the system is
	// that of NHS numbers.
	Numbers []string
	// Identifiers are all other identifiers.
	Identifiers []Identifier
	// URLs are references to anything but a Patient of this server, without blanks: of another
	// server, a urn, another type.
	URLs []string
	// None reports that the Consent names nobody: patient has no reference, no identifier and
	// no contained Patient.
	None bool
}

// maxSubjectDepth bounds references between contained resources.
const maxSubjectDepth = 4

// SubjectsOf returns the persons whom a Consent may mean. base is the public FHIR base without a trailing
// slash.
func SubjectsOf(body []byte, base string) Subjects {
	r := gjson.ParseBytes(body)
	s := subjectReader{base: base}
	for _, c := range list(r.Get("contained")) {
		c := &containedResource{Result: c, id: strings.TrimLeft(strings.TrimSpace(c.Get("id").String()), "#"), typ: c.Get("resourceType").String()}
		s.contained = append(s.contained, c)
		if s.byID == nil {
			s.byID = map[string][]*containedResource{}
		}
		s.byID[strings.ToLower(c.id)] = append(s.byID[strings.ToLower(c.id)], c)
	}
	for _, ref := range list(r.Get("patient")) {
		s.reference(ref, 0)
	}
	s.sort()
	s.None = len(s.IDs)+len(s.Numbers)+len(s.Identifiers)+len(s.URLs) == 0
	return s.Subjects
}

// subjectReader collects Subjects.
type subjectReader struct {
	Subjects
	base      string
	contained []*containedResource
	byID      map[string][]*containedResource // by id in lower case
	unmatched bool                            // a reference to a contained resource that is missing
}

// containedResource is a contained resource. Each is read once.
type containedResource struct {
	gjson.Result
	id, typ string
	read    bool
}

func list(v gjson.Result) []gjson.Result {
	if !v.Exists() {
		return nil
	}
	return v.Array()
}

// reference reads a Reference: its literal, its identifier, and those in its extensions.
func (s *subjectReader) reference(ref gjson.Result, depth int) {
	if depth > maxSubjectDepth {
		return
	}
	if literal := ref.Get("reference").String(); literal != "" {
		s.literal(literal, depth)
	}
	for _, id := range list(ref.Get("identifier")) {
		s.identifier(id.Get("system").String(), id.Get("value").String())
	}
	for _, ext := range slices.Concat(list(ref.Get("extension")), list(ref.Get("_reference.extension"))) {
		s.extension(ext, depth+1)
	}
}

func (s *subjectReader) extension(ext gjson.Result, depth int) {
	if depth > maxSubjectDepth {
		return
	}
	s.reference(ext.Get("valueReference"), depth+1)
	if id := ext.Get("valueIdentifier"); id.Exists() {
		s.identifier(id.Get("system").String(), id.Get("value").String())
	}
	for _, inner := range list(ext.Get("extension")) {
		s.extension(inner, depth+1)
	}
}

// literal reads a Reference.reference of any form.
func (s *subjectReader) literal(written string, depth int) {
	text := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, written)
	if id, ok := strings.CutPrefix(text, "#"); ok {
		s.containedReference(id, text, depth)
		return
	}
	address, query, isSearch := strings.Cut(text, "?")
	address, _, _ = strings.Cut(address, "#")
	address = strings.TrimRight(address, "/")
	ref, here := fhir.ParseRef(s.base, text)
	here = here && ref.Type == "Patient"
	switch {
	case here:
		s.IDs = append(s.IDs, ref.ID)
		address = ref.ID // in its plain spelling
	case isSearch && s.search(query):
	case s.unusualAddress(address):
	case text != "":
		s.URLs = append(s.URLs, text)
	}
	if number, ok := trailingNumber(address); ok {
		s.Numbers = append(s.Numbers, number)
	}
}

// unusualAddress adds an address of a Patient of this server that fhir.ParseRef does not read as one: with
// an invalid version, or an id without its type. It returns false for all others.
func (s *subjectReader) unusualAddress(address string) bool {
	resource, _, _ := strings.Cut(address, "/_history/")
	ref, ok := fhir.ParseRef(s.base, resource)
	if !ok {
		last := strings.LastIndexByte(address, '/') + 1
		if strings.EqualFold(address[last:], "Patient") {
			return false
		}
		ref, ok = fhir.ParseRef(s.base, address[:last]+"Patient/"+address[last:])
	}
	if ok = ok && ref.Type == "Patient"; ok {
		s.IDs = append(s.IDs, ref.ID)
	}
	return ok
}

// trailingNumber returns the NHS number at the end of an address: NHS servers use NHS numbers as ids of
// Patients.
func trailingNumber(address string) (string, bool) {
	last := address[strings.LastIndexAny(address, "/:")+1:]
	return last, fhir.ValidNHSNumber(last)
}

// NamesInLiteral returns the names (index.AboutKey) of persons whom a literal reference may mean that is not
// a reference to a resource of this server: an NHS number at its end, or an id without a type.
func NamesInLiteral(literal string) []string {
	address, _, _ := strings.Cut(strings.TrimSpace(literal), "?")
	address = strings.TrimRight(address, "/")
	var out []string
	if number, ok := trailingNumber(address); ok {
		out = append(out, "nhs:"+number)
	}
	if fhir.ValidID(address) {
		out = append(out, address)
	}
	return out
}

// search reads the parameters of a conditional reference. It returns false where they name nobody.
func (s *subjectReader) search(query string) bool {
	values, err := url.ParseQuery(query)
	if err != nil {
		return false
	}
	before := len(s.IDs) + len(s.Numbers) + len(s.Identifiers)
	for name, all := range values {
		name, _, _ = strings.Cut(strings.ToLower(name), ":")
		for _, value := range strings.Split(strings.Join(all, ","), ",") {
			switch {
			case name == "identifier":
				system, number, found := strings.Cut(value, "|")
				if !found {
					system, number = "", value
				}
				s.identifier(system, number)
			case name == "_id" && fhir.ValidID(value):
				s.IDs = append(s.IDs, value)
			}
		}
	}
	return len(s.IDs)+len(s.Numbers)+len(s.Identifiers) > before
}

// containedReference reads the contained resource of a reference, or every contained Patient where it is
// missing.
func (s *subjectReader) containedReference(id, text string, depth int) {
	found := s.byID[strings.ToLower(id)]
	for _, c := range found {
		s.containedPerson(c, depth)
	}
	if len(found) > 0 {
		return
	}
	s.URLs = append(s.URLs, text)
	if s.unmatched {
		return
	}
	s.unmatched = true
	for _, c := range s.contained {
		if strings.EqualFold(c.typ, "Patient") {
			s.containedPerson(c, depth)
		}
	}
}

// containedPerson reads a contained resource as a person: its id, its identifiers, and the Patients that it
// links to.
func (s *subjectReader) containedPerson(c *containedResource, depth int) {
	if c.read || depth > maxSubjectDepth {
		return
	}
	c.read = true
	if fhir.ValidID(c.id) && (c.typ == "Patient" || !r4.IsResource(c.typ)) {
		s.IDs = append(s.IDs, c.id)
	}
	for _, id := range list(c.Get("identifier")) {
		s.identifier(id.Get("system").String(), id.Get("value").String())
	}
	for _, ref := range slices.Concat(list(c.Get("patient")), list(c.Get("link.#.other")), list(c.Get("link.#.target"))) {
		s.reference(ref, depth+1)
	}
}

// identifier adds an identifier to Numbers or Identifiers.
func (s *subjectReader) identifier(system, value string) {
	system, value = strings.TrimSpace(system), strings.TrimSpace(value)
	digits, isNumber := fhir.NHSNumberOf(system, value)
	switch {
	case value == "":
	case isNumber:
		s.Numbers = append(s.Numbers, digits)
	default:
		s.Identifiers = append(s.Identifiers, Identifier{system, value})
		if digits, holds := fhir.NHSNumberIn(value); holds { // in any system and with any surrounding text
			s.Numbers = append(s.Numbers, digits)
		}
	}
}

func (s *subjectReader) sort() {
	for _, names := range []*[]string{&s.IDs, &s.Numbers, &s.URLs} {
		slices.Sort(*names)
		*names = slices.Compact(*names)
	}
	slices.SortFunc(s.Identifiers, func(a, b Identifier) int {
		if c := strings.Compare(a.System, b.System); c != 0 {
			return c
		}
		return strings.Compare(a.Value, b.Value)
	})
	s.Identifiers = slices.Compact(s.Identifiers)
}
