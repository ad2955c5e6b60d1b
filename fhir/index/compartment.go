package index

import (
	"fmt"

	"carerecord/store"
)

// InCompartment returns the predicate of documents of a type that belong to a compartment: a
// parameter of the CompartmentDefinition refers to the compartment's resource (SRCH-153), or the
// document is that resource. The error is an *Error if a parameter of the definition is not
// served.
func (x *Indexer) InCompartment(compartment, id, typ string, params []string) (store.Pred, error) {
	var any []store.Pred
	ask := func(name, value string) error {
		pred, err := x.Predicate(Query{Type: typ, Name: name, Values: []string{value}})
		if err != nil {
			return fmt.Errorf("compartment %s, %s of %s: %w", compartment, name, typ, err)
		}
		any = append(any, pred)
		return nil
	}
	if typ == compartment {
		if err := ask("_id", id); err != nil {
			return nil, err
		}
	}
	for _, name := range params {
		if name == "{def}" {
			continue
		}
		if err := ask(name, compartment+"/"+id); err != nil {
			return nil, err
		}
	}
	return anyOf(any...), nil
}
