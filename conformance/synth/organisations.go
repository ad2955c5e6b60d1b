package synth

import (
	"fmt"
	"strings"

	"carerecord/fhir"
)

// The organisations of the people in the demonstration.
const (
	Practice  = "XGP01"
	Acute     = "XAC01"
	Community = "XCO01"
)

// Organisations returns the organisations of the people in the demonstration, the practice first. They
// are Sources too.
func Organisations() []Organisation {
	return []Organisation{
		{Practice, "Hollybank Surgery", "gp", "demo-gp-feed", "xgp01."},
		{Acute, "St Brannock's Hospital", "acute", "demo-feed", "xac01."},
		{Community, "Tamarside Community Care", "community", "demo-community-feed", "xco01."},
	}
}

// entryWriter collects the entries of one transaction bundle.
type entryWriter struct {
	prefix  string
	entries []string
}

// put adds a resource whose id is the prefix and id, and returns the reference to it. members is the
// JSON of all members except resourceType and id.
func (w *entryWriter) put(typ, id, members string) string {
	full := w.prefix + id
	w.entries = append(w.entries, fmt.Sprintf(`{"fullUrl":"urn:carerecord:%s:%s","resource":{"resourceType":"%s","id":"%s",%s},"request":{"method":"PUT","url":"%s/%s"}}`,
		typ, full, typ, full, members, typ, full))
	return typ + "/" + full
}

func (w *entryWriter) bundle() []byte {
	return []byte(`{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(w.entries, ",") + `]}`)
}

func organisation(o Organisation) []byte {
	w := &entryWriter{prefix: o.IDPrefix}
	org := w.put("Organization", "org", fmt.Sprintf(`"identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"%s"}],"active":true,"name":%s`, o.ODS, fhir.Quoted(o.Name)))
	w.writeStaff(o, org)
	w.put("Location", "loc", fmt.Sprintf(`"status":"active","name":%s,"managingOrganization":{"reference":"%s"}`, fhir.Quoted(o.Name+", main building"), org))
	return w.bundle()
}
