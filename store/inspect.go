package store

// Field is one piece of what an engine stores, decoded for people who look at a store.
type Field struct {
	Name    string // as the documentation of the engine names it
	Meaning string // what it is; empty where the name says it
	Text    string
	Keys    []Key // where the piece is keys: those of package fhir/index, which decodes them
}
