package law_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// embedded is the people in the resources that a body embeds: the entries of a Bundle, the parameters of
// Parameters, and the payload of a Binary. Every Patient that these embed or name is an owner (CON-406).
type embedded struct {
	resources  []map[string]any // at any depth
	ids        []string         // of Patients of this server, sorted
	numbers    []string         // NHS numbers without blanks, sorted
	unresolved bool             // it refers to a person who is unknown
}

// embeds reports whether a type of these worlds has the people in embedded resources as owners.
func embeds(typ string) bool { return typ == "Bundle" || typ == "Parameters" }

// embeddedIn reads a body. It returns nil if the body embeds nothing.
func embeddedIn(m map[string]any) *embedded {
	typ, _ := m["resourceType"].(string)
	e := &embedded{}
	switch payload := payloadOf(m); {
	case embeds(typ):
		e.members(m, nil)
	case payload != nil:
		e.resource(payload, "", nil)
	default:
		return nil
	}
	slices.Sort(e.ids)
	slices.Sort(e.numbers)
	e.ids, e.numbers = slices.Compact(e.ids), slices.Compact(e.numbers)
	return e
}

// payloadOf returns the resource in the data of a Binary, or nil.
func payloadOf(m map[string]any) map[string]any {
	data, _ := m["data"].(string)
	raw, err := base64.StdEncoding.DecodeString(data)
	var inner map[string]any
	if m["resourceType"] != "Binary" || err != nil || json.Unmarshal(raw, &inner) != nil {
		return nil
	}
	return inner
}

// members reads the entries of a Bundle, or parameters and their parts. known are the addresses of the
// entries of the enclosing Bundles.
func (e *embedded) members(m map[string]any, known []string) {
	for _, entry := range valuesAt(m, "entry") {
		full, _ := entry.(map[string]any)["fullUrl"].(string)
		known = append(known, full)
	}
	for _, entry := range valuesAt(m, "entry") {
		entry := entry.(map[string]any)
		full, _ := entry["fullUrl"].(string)
		e.resource(entry["resource"].(map[string]any), full, known)
	}
	for _, parameter := range append(valuesAt(m, "parameter"), valuesAt(m, "part")...) {
		parameter := parameter.(map[string]any)
		if inner, holds := parameter["resource"].(map[string]any); holds {
			e.resource(inner, "", known)
		}
		if reference, holds := parameter["valueReference"].(map[string]any); holds {
			e.reference(reference, known)
		}
		e.members(map[string]any{"part": parameter["part"]}, known)
	}
}

// resource reads one embedded resource, with its address.
func (e *embedded) resource(m map[string]any, address string, known []string) {
	e.resources = append(e.resources, m)
	typ := m["resourceType"].(string)
	paths, hasOwners := ownerElements[typ]
	switch {
	case embeds(typ):
		e.members(m, known)
		return
	case typ == "Patient":
		if id := patientOf(map[string]any{"reference": address}); id != "" {
			e.ids = append(e.ids, id)
		} else if !e.addNumbers(valuesAt(m, "identifier")) {
			e.unresolved = true
		}
	case hasOwners:
		somebody := false
		for _, path := range paths {
			for _, reference := range valuesAt(m, path) {
				r, _ := reference.(map[string]any)
				somebody = somebody || r["reference"] != nil || r["identifier"] != nil
			}
		}
		e.unresolved = e.unresolved || !somebody
	}
	for _, inner := range valuesAt(m, "contained") {
		e.resource(inner.(map[string]any), "", known)
	}
	for name, value := range m {
		if name != "contained" && name != "identifier" {
			e.walk(value, known)
		}
	}
}

// addNumbers adds the NHS numbers of identifiers, and reports whether there are any.
func (e *embedded) addNumbers(identifiers []any) bool {
	found := false
	for _, identifier := range identifiers {
		if number := numberIn(map[string]any{"identifier": identifier}); number != "" {
			e.numbers, found = append(e.numbers, strings.ReplaceAll(number, " ", "")), true
		}
	}
	return found
}

// walk reads all references in a value.
func (e *embedded) walk(value any, known []string) {
	switch value := value.(type) {
	case map[string]any:
		if value["reference"] != nil || value["identifier"] != nil {
			e.reference(value, known)
		}
		for _, inner := range value {
			e.walk(inner, known)
		}
	case []any:
		for _, inner := range value {
			e.walk(inner, known)
		}
	}
}

// reference reads one reference: to a contained resource or an entry, which are read themselves; to a Patient of
// this server; by an NHS number; or to something unknown.
func (e *embedded) reference(reference map[string]any, known []string) {
	literal, _ := reference["reference"].(string)
	typ, id := localTarget(reference)
	switch {
	case strings.HasPrefix(literal, "#"), slices.Contains(known, literal) && literal != "":
	case typ == "Patient" && !slices.Contains(known, base+"/Patient/"+id):
		e.ids = append(e.ids, id)
	case typ != "":
	case !e.addNumbers(valuesAt(reference, "identifier")) && literal != "":
		e.unresolved = true
	}
}

// embeddedOwners returns the owners of a version through the resources that it embeds, and whether all of
// them are known and live.
func (e *evaluator) embeddedOwners(v *version) (owners []string, resolved bool) {
	if v.embedded == nil {
		return nil, true
	}
	resolved = !v.embedded.unresolved
	for _, id := range v.embedded.ids {
		if e.live("Patient/" + id) {
			owners = append(owners, id)
		} else {
			resolved = false
		}
	}
	for _, number := range v.embedded.numbers {
		if ids := e.patientsWithNumber(number); len(ids) == 1 {
			owners = append(owners, ids...)
		} else {
			resolved = false
		}
	}
	return owners, resolved && (len(owners) > 0 || !embeds(v.Ref.Type))
}

// embeddedOwnersByOtherNames is ownersByOtherNames for embedded resources.
func (e *evaluator) embeddedOwnersByOtherNames(v *version) []string {
	if v.embedded == nil {
		return nil
	}
	var out []string
	for _, id := range v.embedded.ids {
		if !e.live("Patient/" + id) {
			out = append(out, id)
			for name := range e.numbers[id] {
				out = append(out, name)
			}
		}
	}
	for _, number := range v.embedded.numbers {
		out = append(out, numberName(number))
	}
	return out
}

// embeddedNames returns all names of people in the embedded resources of a version.
func (v *version) embeddedNames() []string {
	if v.embedded == nil {
		return nil
	}
	out := slices.Clone(v.embedded.ids)
	for _, number := range v.embedded.numbers {
		out = append(out, numberName(number))
	}
	return out
}

// bundleBody is the body of a Bundle.
func (g *generator) bundleBody(head string) string {
	entries := g.bundleEntries()
	if g.chance(30) {
		entries = append(entries, `{"resource":`+g.parameters()+`}`)
	}
	return object(head, g.meta(10), `"type":"`+pick(g, "collection", "collection", "document", "batch-response")+`"`, g.maybe(60, `"timestamp":"`+g.date()+`"`), `"entry":[`+strings.Join(entries, ",")+`]`)
}

// parameters draws Parameters, which these worlds store only inside Bundles.
func (g *generator) parameters() string {
	parameters := []string{`{"name":"a","resource":` + g.embeddedResource("", pick(g, `{"reference":"Patient/`+g.anID("Patient")+`"}`, g.aPatient())) + `}`}
	if g.chance(40) {
		parameters = append(parameters, `{"name":"b","part":[{"name":"c","resource":`+g.embeddedResource("", `{"reference":"Patient/`+g.anID("Patient")+`"}`)+`},{"name":"d","valueString":"told"}]}`)
	}
	if g.chance(30) {
		parameters = append(parameters, `{"name":"e","valueReference":`+g.aPatient()+`}`)
	}
	if g.chance(25) {
		parameters = append(parameters, `{"name":"f","resource":{"language":"en","resourceType":"Bundle","type":"collection","entry":[`+strings.Join(g.bundleEntries(), ",")+`]}}`)
	}
	return object(`"language":"en","resourceType":"Parameters"`, g.meta(10), `"parameter":[`+strings.Join(parameters, ",")+`]`)
}

// bundleEntries draws the entries of a Bundle: sometimes a Patient, and resources about that Patient or others.
func (g *generator) bundleEntries() []string {
	var out []string
	patient := g.anID("Patient") // the owner of most entries
	of := `{"reference":"Patient/` + patient + `"}`
	if g.chance(60) {
		address := fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", g.IntN(1_000_000))
		identifier := `"identifier":[{"system":"` + nhsSystem + `","value":"` + g.spelledNumber(patient) + `"}]`
		switch g.IntN(10) {
		case 0:
			identifier = `"identifier":[{"system":"http://mrn","value":"1"}]`
		case 1, 2, 3, 4:
			address = base + "/Patient/" + patient
			identifier = g.maybe(50, identifier)
		}
		of = `{"reference":"` + address + `"}`
		out = append(out, object(`"fullUrl":"`+address+`"`, `"resource":`+object(`"language":"en","resourceType":"Patient"`, g.meta(12), identifier, g.maybe(30, `"gender":"male"`))))
	}
	for range 1 + g.IntN(3) {
		subject := of
		switch g.IntN(20) {
		case 0:
			subject = `{"reference":"urn:uuid:00000000-0000-4000-8000-000000000000"}`
		case 1:
			subject = `{"display":"somebody"}`
		case 2, 3, 4, 5:
			subject = `{"identifier":{"system":"` + nhsSystem + `","value":"` + g.spelledNumber(pick(g, patient, g.anID("Patient"))) + `"}}`
		case 6, 7:
			subject = g.aPatient()
		}
		out = append(out, `{"resource":`+g.embeddedResource(g.maybe(10, "contained"), subject)+`}`)
	}
	return out
}

// spelledNumber is the NHS number of a Patient, in one of two spellings.
func (g *generator) spelledNumber(patient string) string {
	number := g.numbers[patient]
	if len(number) != 10 {
		return number
	}
	return pick(g, number, number[:3]+" "+number[3:6]+" "+number[6:])
}

// embeddedResource draws an embedded resource about a subject. Its first member is not resourceType, so that a test does
// not count it as an entry of an answer.
func (g *generator) embeddedResource(contained, subject string) string {
	if contained != "" {
		contained = `"contained":[` + object(`"resourceType":"Patient","id":"e"`, g.meta(40), `"identifier":[{"system":"`+nhsSystem+`","value":"`+g.spelledNumber(g.anID("Patient"))+`"}]`) + `],"performer":[{"reference":"#e"}]`
	}
	return object(`"language":"en","resourceType":"Observation","status":"final"`, g.meta(20), `"code":`+g.concept(), `"subject":`+subject, contained, g.maybe(30, note), g.maybe(10, `"hasMember":[`+g.aRow("Observation")+`]`))
}

// payload is the data of a Binary: a letter, or FHIR.
func (g *generator) payload() string {
	if !g.chance(35) {
		return pick(g, "b25l", "dHdv", "dGhyZWU=")
	}
	body := g.embeddedResource("", g.aPatient())
	if g.chance(40) {
		body = `{"language":"en","resourceType":"Bundle","type":"collection","entry":[` + strings.Join(g.bundleEntries(), ",") + `]}`
	}
	return base64.StdEncoding.EncodeToString([]byte(body))
}
