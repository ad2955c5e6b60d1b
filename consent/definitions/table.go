package definitions

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"carerecord/fhir/index"
	"carerecord/store"
)

// Parameter is a search parameter of one type that a version of a stored SearchParameter defines.
type Parameter struct {
	index.DefinedParam
	ID      string `json:"id"` // of the SearchParameter
	Version uint64 `json:"version"`

	ended time.Time // of a retired one
}

// tableKey is where State holds the table.
const tableKey = "index/parameters"

// retiredFor is for how long documents get keys of a retired parameter: longer than a request that was
// planned with it may take (LIM-009).
const retiredFor = 5 * time.Minute

// Table is the table of defined search parameters. It is never changed in place.
type Table struct {
	// Next is the number of the next parameter. Numbers are not reused.
	Next uint16      `json:"next"`
	List []Parameter `json:"list"`
}

// live returns the parameters that are not retired.
func (t Table) live() []Parameter {
	return slices.DeleteFunc(slices.Clone(t.List), func(p Parameter) bool { return p.Phase == index.Retired })
}

// Indexing returns the parameters that wait for a walk over documents.
func (t Table) Indexing() []Parameter {
	return slices.DeleteFunc(slices.Clone(t.List), func(p Parameter) bool { return p.Phase != index.Indexing })
}

// compile makes the table for an Indexer.
func (t Table) compile(x *index.Indexer) (*index.Definitions, error) {
	list := make([]index.DefinedParam, len(t.List))
	for i, p := range t.List {
		list[i] = p.DefinedParam
	}
	d, err := x.Compile(list)
	if err != nil {
		return nil, fmt.Errorf("compile the defined parameters: %w", err)
	}
	return d, nil
}

// stateWrite returns the table as State holds it. Retired parameters end with the program.
func (t Table) stateWrite() store.StateWrite {
	t.List = t.live()
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings and numbers
	}
	return store.StateWrite{Key: tableKey, Value: b}
}

// withoutRetired returns the table without parameters that were retired long ago.
func (t Table) withoutRetired(now time.Time) Table {
	t.List = slices.DeleteFunc(slices.Clone(t.List), func(p Parameter) bool {
		return p.Phase == index.Retired && now.Sub(p.ended) > retiredFor
	})
	return t
}

// with returns the table after some definitions were written; each replaces the parameters that its
// SearchParameter defined before. A parameter with the same code, kind and expression on a type keeps
// its number and its keys; every other one gets a new number, so keys of an old meaning match no
// query (SRCH-245). The error is a *fhir.Error.
func (t Table) with(x *index.Indexer, defs []definition, now time.Time) (Table, bool, error) {
	isWritten := func(p Parameter) bool {
		return p.Phase != index.Retired && slices.ContainsFunc(defs, func(d definition) bool { return d.id == p.ID })
	}
	replaced := slices.DeleteFunc(slices.Clone(t.List), func(p Parameter) bool { return !isWritten(p) })
	next := t.withoutRetired(now)
	next.Next = max(next.Next, index.FirstDefined)
	next.List = slices.DeleteFunc(next.List, isWritten)
	changes := len(replaced) > 0
	for _, def := range defs {
		for _, of := range def.params {
			changes = true
			p, err := next.entryFor(x, def, of, &replaced)
			if err != nil {
				return t, false, def.fault(err)
			}
			next.List = append(next.List, p)
		}
	}
	for _, p := range replaced {
		p.Phase, p.ended = index.Retired, now
		next.List = append(next.List, p)
	}
	return next, changes, nil
}

// entryFor makes the entry of a parameter. It takes over the entry in was that it continues, if any.
func (t *Table) entryFor(x *index.Indexer, def definition, of index.DefinedParam, replaced *[]Parameter) (Parameter, error) {
	p := Parameter{DefinedParam: of, ID: def.id, Version: def.version}
	for _, other := range t.List {
		if other.Phase != index.Retired && other.Type == of.Type && strings.EqualFold(other.Code, of.Code) {
			return p, &index.DefinitionError{Code: "duplicate", Element: "code", Text: fmt.Sprintf("%s has a search parameter %q already.", of.Type, other.Code)}
		}
	}
	same := func(o Parameter) bool {
		return o.ID == def.id && o.Type == of.Type && o.Code == of.Code && o.Kind == of.Kind && o.Expression == of.Expression
	}
	if i := slices.IndexFunc(*replaced, same); i >= 0 {
		p.Number, p.Phase = (*replaced)[i].Number, (*replaced)[i].Phase
		*replaced = slices.Delete(*replaced, i, i+1)
		return p, nil
	}
	if p.Number = t.Next; p.Number > index.LastDefined {
		return p, &index.DefinitionError{Code: "invariant", Element: "base", Text: "All parameter numbers are used: no more parameters can be defined."}
	}
	if err := x.Check(p.DefinedParam); err != nil {
		return p, err
	}
	t.Next++
	return p, nil
}

// withComplete returns the table after a walk for the parameters of some numbers.
func (t Table) withComplete(numbers []uint16, now time.Time) Table {
	t = t.withoutRetired(now)
	for i, p := range t.List {
		if p.Phase == index.Indexing && slices.Contains(numbers, p.Number) {
			t.List[i].Phase = index.Complete
		}
	}
	return t
}
