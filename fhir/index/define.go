package index

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"carerecord/fhir/r4"
	"carerecord/store"
)

// Phase is the state of a defined parameter.
type Phase string

// The phases of a defined parameter. Only a Complete one is served.
const (
	Indexing Phase = "indexing" // documents get its keys, but not all have them yet
	Complete Phase = "complete"
	// Retired: no longer defined. Documents get its keys as long as a query may be running
	// that was planned before.
	Retired Phase = "retired"
)

// DefinedParam is a search parameter of one resource type that a stored SearchParameter defines
// (SRCH-240).
type DefinedParam struct {
	Number     uint16   `json:"number"` // of its keys, FirstDefined to LastDefined; never reused
	Type       string   `json:"type"`   // resource type
	Code       string   `json:"code"`
	URL        string   `json:"url"`
	Kind       Kind     `json:"kind"`
	Expression string   `json:"expression"`
	Targets    []string `json:"targets,omitempty"` // of a reference, as the definition lists them
	Phase      Phase    `json:"phase"`
}

// Definitions are compiled parameters in addition to those of the standard. They are immutable.
type Definitions struct {
	typeIndexes map[string]*typeIndex // of the types with defined parameters; they include those of the standard
	complete    map[uint16]bool
}

// Compile compiles a list of parameters. The error is a *DefinitionError for the first one that
// Check refuses.
func (x *Indexer) Compile(list []DefinedParam) (*Definitions, error) {
	d := &Definitions{typeIndexes: map[string]*typeIndex{}, complete: map[uint16]bool{}}
	for _, def := range list {
		p, err := x.standard.define(def)
		if err != nil {
			return nil, err
		}
		ti := d.typeIndexes[def.Type]
		if ti == nil {
			base, err := x.standard.typeIndex(def.Type)
			if err != nil {
				return nil, err
			}
			ti = &typeIndex{params: maps.Clone(base.params), keyed: slices.Clone(base.keyed), owners: base.owners, monotone: maps.Clone(base.monotone), wordNumbers: base.wordNumbers}
			d.typeIndexes[def.Type] = ti
		}
		ti.keyed = append(ti.keyed, p)
		ti.monotone[p.number] = p.Monotone
		if def.Phase != Retired {
			ti.params[def.Code] = p
		}
		if def.Phase == Complete {
			d.complete[def.Number] = true
		}
	}
	return d, nil
}

// Install replaces the defined parameters for all later queries and documents.
func (x *Indexer) Install(d *Definitions) { x.defined.Store(d) }

// Installed returns the defined parameters in force. Two calls return the same pointer exactly if
// nothing was installed in between.
func (x *Indexer) Installed() *Definitions { return x.defined.Load() }

// Pinned returns an Indexer that keeps the parameters in force now, also after others are installed.
// One Indexer plans and answers a query.
func (x *Indexer) Pinned() *Indexer {
	p := &Indexer{x.standard, newDefined()}
	p.defined.Store(x.defined.Load())
	return p
}

// IsComplete reports whether documents have exactly the keys of the key's parameter that they
// should have. It is true for the standard's parameters and for Complete ones. A verification
// compares only such keys.
func (x *Indexer) IsComplete(k store.Key) bool {
	if IsFact(k) || len(k) < 2 {
		return true
	}
	number := numberOf(k)
	return number < FirstDefined || x.defined.Load().complete[number]
}

// Served returns nil for a parameter that is served, and otherwise the reason as an *Error.
func (x *Indexer) Served(typ, name string) error {
	_, err := x.served(typ, name)
	return err
}

// DefinitionError is the reason why a SearchParameter is refused. Code is of the issue-type value
// set: invariant, or duplicate for a name that is in use. Element is the path of the faulty
// element below SearchParameter.
type DefinitionError struct{ Code, Element, Text string }

// Error returns the text.
func (e *DefinitionError) Error() string { return e.Text }

func refused(element, format string, args ...any) error {
	return &DefinitionError{"invariant", element, fmt.Sprintf(format, args...)}
}

// Check returns nil if a definition can become a parameter of its type (SRCH-240, 241). The error
// is a *DefinitionError.
func (x *Indexer) Check(def DefinedParam) error {
	_, err := x.standard.define(def)
	return err
}

// define compiles one definition.
func (x *standard) define(def DefinedParam) (*param, error) {
	if !r4.IsResource(def.Type) {
		return nil, refused("base", "%q is not a resource type.", def.Type)
	}
	for _, known := range r4.SearchParams(def.Type) {
		if strings.EqualFold(known.Code, def.Code) {
			return nil, &DefinitionError{"duplicate", "code", fmt.Sprintf("%s has a search parameter %q already.", def.Type, known.Code)}
		}
	}
	if !plainName(def.Code) {
		return nil, refused("code", "The code is up to 64 letters, digits, hyphens and underscores and begins with a letter: %q could not be used in a query.", def.Code)
	}
	switch def.Kind {
	case Number, DateTime, String, Token, Reference, Quantity, URI:
	case Composite, Special:
		return nil, refused("type", "This server does not accept definitions of parameters of type %s.", def.Kind)
	default:
		return nil, refused("type", "%q is not a type of search parameter.", string(def.Kind))
	}
	if strings.TrimSpace(def.Expression) == "" {
		return nil, refused("expression", "An active parameter needs an expression.")
	}
	p := compileParam(def.Type, &r4.SearchParam{URL: def.URL, Code: def.Code, Type: string(def.Kind), Targets: def.Targets, Expression: def.Expression}, def.Number)
	if !p.Indexed {
		return nil, refused("expression", "On %s: %s.", def.Type, p.notServedBecause)
	}
	p.Defined = true
	if def.Phase != Complete {
		p.Indexed, p.notServedBecause = false, "indexing is not complete, and the result would be incomplete until then"
	}
	return p, nil
}

// plainName reports whether a name can be used in a query, a chain and a filter.
func plainName(s string) bool {
	if s == "" || len(s) > 64 || !letter(s[0]) {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
