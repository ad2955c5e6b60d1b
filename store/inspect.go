package store

// Field is one decoded part of a stored row, for tools that show a store to an operator.
type Field struct {
	Name    string // as the documentation of the engine names it
	Meaning string // a description; empty if the name is enough
	Text    string
	Keys    []Key // set for a part that is keys; fhir/index decodes them
}
