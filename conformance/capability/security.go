package capability

// Security names the endpoints by which clients get access. Clients of today read the SMART configuration; older ones and test tools
// look here (SMART-035).
type Security struct {
	Authorize  string // empty where nobody can sign in
	Token      string // empty: access is open, and the statement says nothing of security
	Introspect string
	Revoke     string
	Manage     string // where people see and stop their apps
}

type security struct {
	Extension []extension `json:"extension"`
	CORS      bool        `json:"cors"`
	Service   []service   `json:"service"`
}

type service struct {
	Coding []coding `json:"coding"`
	Text   string   `json:"text"`
}

type coding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display"`
}

type extension struct {
	URL       string      `json:"url"`
	Extension []extension `json:"extension,omitempty"`
	ValueURI  string      `json:"valueUri,omitempty"`
}

// element returns CapabilityStatement.rest.security, nil where access is open.
func (s Security) element() *security {
	if s.Token == "" {
		return nil
	}
	uris := extension{URL: "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"}
	for _, e := range []extension{{URL: "authorize", ValueURI: s.Authorize}, {URL: "token", ValueURI: s.Token}, {URL: "introspect", ValueURI: s.Introspect},
		{URL: "revoke", ValueURI: s.Revoke}, {URL: "manage", ValueURI: s.Manage}} {
		if e.ValueURI != "" {
			uris.Extension = append(uris.Extension, e)
		}
	}
	return &security{Extension: []extension{uris}, CORS: true, Service: []service{{
		Coding: []coding{{"http://terminology.hl7.org/CodeSystem/restful-security-service", "SMART-on-FHIR", "SMART-on-FHIR"}},
		Text:   "SMART App Launch; the endpoints are in .well-known/smart-configuration",
	}}}
}
