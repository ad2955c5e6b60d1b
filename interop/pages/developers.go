package pages

// Developers is the page for those who connect an app or a system: what the server does, from its own tables (SMART-010). Names and
// values are those of the protocol, which no language changes.
type Developers struct {
	Configuration string // address of the SMART configuration
	Capabilities  []string
	Scopes        []string // examples that work
	Parameters    []TypeParameters
	Lives         []DeveloperValue
	Limits        []DeveloperValue
	// Base is the address of the FHIR API, Launch that of the launch API (empty for none), and Addresses are those of the SMART configuration.
	Base, Launch string
	Addresses    []DeveloperValue
	Errors       []string // error codes of OAuth endpoints, each with the text developers.error.CODE
	Outcomes     []string // codes of OperationOutcomes, each with the text developers.outcome.CODE
	Texts        string   // path of the page Texts
}

// TypeParameters are the search parameters that a scope of a type may have.
type TypeParameters struct {
	Type  string
	Names []string
}

// DeveloperValue is an address, a lifetime or a limit. The name of an address is that of its member in the SMART configuration, of the others the
// last part of the key of its text: access of developers.life.access.
type DeveloperValue struct{ Name, Value string }

func (Developers) name() string        { return "developers" }
func (Developers) problems() []problem { return nil }
