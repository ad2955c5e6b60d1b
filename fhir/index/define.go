package index

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"carerecord/fhir/r4"
	"carerecord/store"
)

// Phase says how far a defined parameter is.
type Phase string

// The phases of a defined parameter. Only a complete one answers.
const (
	Indexing Phase = "indexing" // documents get its keys, and not all have them yet
	Complete Phase = "complete"
	// Retired is one that is defined no more. Documents get its keys as long as a
	// question may be under way that was planned before.
	Retired Phase = "retired"
)

// DefinedParam is a search parameter of one resource type that a stored
// SearchParameter defines (SRCH-240).
type DefinedParam struct {
	Number     uint16   `json:"number"` // of its keys, FirstDefined to LastDefined; given once, to nothing else ever
	Type       string   `json:"type"`   // resource type
	Code       string   `json:"code"`
	URL        string   `json:"url"`
	Kind       Kind     `json:"kind"`
	Expression string   `json:"expression"`
	Targets    []string `json:"targets,omitempty"` // of a reference, as the definition lists them
	Phase      Phase    `json:"phase"`
}

// Definitions are parameters beside those of the standard, compiled. They are
// never changed.
type Definitions struct {
	typeIndexes map[string]*typeIndex // of the types that have some, those of the standard in them
	complete    map[uint16]bool
}

// Compile makes Definitions of a list. The error is a *DefinitionError of the
// first that Check would refuse.
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

// Install replaces the defined parameters by others, for every question and
// document from now on.
func (x *Indexer) Install(d *Definitions) { x.defined.Store(d) }

// Installed returns the defined parameters that are in force. Two calls return
// the same pointer exactly if nothing was installed between them.
func (x *Indexer) Installed() *Definitions { return x.defined.Load() }

// Pinned returns an Indexer with the parameters that are in force now, whatever
// is installed later: a question is planned and answered by one.
func (x *Indexer) Pinned() *Indexer {
	p := &Indexer{x.standard, newDefined()}
	p.defined.Store(x.defined.Load())
	return p
}

// IsComplete reports whether every document has a key that it should have of its
// parameter, and no other: true of the standard's and of complete ones. A
// rebuild compares these.
func (x *Indexer) IsComplete(k store.Key) bool {
	if IsFact(k) || len(k) < 2 {
		return true
	}
	number := numberOf(k)
	return number < FirstDefined || x.defined.Load().complete[number]
}

// Served returns nil for a parameter that answers, and else why not: an *Error.
func (x *Indexer) Served(typ, name string) error {
	_, err := x.served(typ, name)
	return err
}

// DefinitionError says why a SearchParameter is refused. Code is of the
// issue-type set: invariant, or duplicate for a name that is taken. Element is
// where the reason stands, below SearchParameter.
type DefinitionError struct{ Code, Element, Text string }

// Error returns the text.
func (e *DefinitionError) Error() string { return e.Text }

func refused(element, format string, args ...any) error {
	return &DefinitionError{"invariant", element, fmt.Sprintf(format, args...)}
}

// Check returns why a definition cannot become a parameter of its type beside
// those of the standard (SRCH-240, 241), or nil. The error is a *DefinitionError.
func (x *Indexer) Check(def DefinedParam) error {
	_, err := x.standard.define(def)
	return err
}

// define compiles one definition.
func (x *standard) define(def DefinedParam) (*param, error) {
	if !r4.IsResource(def.Type) {
		return nil, refused("base", "%q is no resource type.", def.Type)
	}
	for _, known := range r4.SearchParams(def.Type) {
		if strings.EqualFold(known.Code, def.Code) {
			return nil, &DefinitionError{"duplicate", "code", fmt.Sprintf("%s has a search parameter %q already.", def.Type, known.Code)}
		}
	}
	if !plainName(def.Code) {
		return nil, refused("code", "The code is up to 64 letters, digits, hyphens and underscores and begins with a letter: %q could not be asked for.", def.Code)
	}
	switch def.Kind {
	case Number, DateTime, String, Token, Reference, Quantity, URI:
	case Composite, Special:
		return nil, refused("type", "Parameters of type %s can be defined by the standard alone here.", def.Kind)
	default:
		return nil, refused("type", "%q is no type of search parameters.", string(def.Kind))
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
		p.Indexed, p.notServedBecause = false, "indexing is under way, and until it is complete the answer would be a part"
	}
	return p, nil
}

// plainName reports whether a name can stand in a query, a chain and a filter.
func plainName(s string) bool {
	if s == "" || len(s) > 64 || !letter(s[0]) {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
