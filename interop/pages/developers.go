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
	Errors        []string
}

// TypeParameters are the search parameters that a scope of a type may have.
type TypeParameters struct {
	Type  string
	Names []string
}

// DeveloperValue is a lifetime or a limit. The name is the last part of the key of its text: access of developers.life.access.
type DeveloperValue struct{ Name, Value string }

func (Developers) name() string        { return "developers" }
func (Developers) problems() []problem { return nil }
