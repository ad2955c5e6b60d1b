package index

import (
	"fmt"

	"carerecord/store"
)

// InCompartment is what a document of a type must satisfy to belong to a compartment:
// any of the parameters of the CompartmentDefinition points to its owner
// (SRCH-153). The owner itself belongs to its own compartment. Errors are
// *Error: a parameter of the definition that is not served.
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
