package index

import (
	_ "embed"
	"fmt"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/path"
)

// OwnerRule is the way in which the owners of a resource type are found.
type OwnerRule byte

// The rules of owners.txt. The zero OwnerRule is for a type without a line: nobody may see it.
const (
	NoRule  OwnerRule = iota // no line in owners.txt
	Unowned                  // about nobody: Practitioner, Location, ValueSet ...
	Owned                    // about patients
)

// Ownership says which patients a resource is about (CON-406).
type Ownership struct {
	Rule     OwnerRule
	Patients []string // ids of local Patients, sorted and distinct
	// Unresolved: an Owned resource without a local Patient at its owner paths. It may
	// inherit owners from other resources.
	Unresolved bool
	// Identifiers are those of references at owner paths that have no literal reference to a
	// resource of this server.
	Identifiers []Identifier
	// InheritFrom are the resources whose owners this one inherits: items of a
	// List, targets of a Provenance, the securityContext of a Binary, the Group
	// that is a subject. Sorted and distinct, without versions.
	InheritFrom []fhir.Ref
	// SecurityContext has the targets of the securityContext of a Binary, Patients included.
	// Patients and InheritFrom also have the owners of its data.
	SecurityContext []fhir.Ref
	// Optional: the resource is about nobody if its paths refer to nobody, also if all
	// resources of InheritFrom exist and are about nobody.
	Optional bool
	// Unsettled: the body embeds resources whose owners are unknown (embedded.go). Only its
	// source may see it, whatever else the ownership says.
	Unsettled bool
	// Beside are the identifiers of references at owner paths that also refer to a local Patient.
	Beside []Beside
	// Foreign are the literal references at owner paths to other servers, as written.
	Foreign []string
}

// Identifier is the system and value of a Reference.identifier.
type Identifier struct{ System, Value string }

// Beside is the identifier of a reference to a local Patient, by its id.
type Beside struct {
	Patient    string
	Identifier Identifier
}

//go:embed owners.txt
var ownerTable string

// ownerLine is a line of owners.txt.
type ownerLine struct {
	rule      OwnerRule
	self      bool     // a Patient is about itself
	optional  bool     // about nobody if the paths refer to nobody
	byMention bool     // about every patient to whom it refers
	owners    []string // paths, PATH or PATH:Type
	care      bool     // care given
	dates     []string // paths; the first one with a value is used
}

// ownerRule is a compiled line.
type ownerRule struct {
	ownerLine
	ownerPaths []ownerPath
	datePaths  []*path.Expr
}

// ownerPath is the path of references to owners. If limit is not empty, only references to that
// type count.
type ownerPath struct {
	expr  *path.Expr
	limit string
}

// parseOwners reads owners.txt, which begins with its grammar.
func parseOwners(table string) (map[string]ownerLine, error) {
	rules := map[string]ownerLine{}
	for line := range strings.Lines(table) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		l, ok := parseOwnerLine(words[1:])
		if _, double := rules[words[0]]; double || !ok {
			return nil, fmt.Errorf("owners.txt: cannot parse %q", strings.TrimSpace(line))
		}
		rules[words[0]] = l
	}
	return rules, nil
}

func parseOwnerLine(words []string) (l ownerLine, ok bool) {
	for len(words) > 0 {
		switch {
		case words[0] == "unowned" && l.rule == NoRule:
			l.rule, words = Unowned, words[1:]
		case (words[0] == "self" || words[0] == "mentioned") && l.rule == NoRule:
			l.rule, l.self, l.byMention, words = Owned, words[0] == "self", words[0] == "mentioned", words[1:]
		case (words[0] == "owned" || words[0] == "maybe") && l.rule == NoRule && len(words) > 1:
			l.rule, l.optional, l.owners, words = Owned, words[0] == "maybe", strings.Split(words[1], ","), words[2:]
		case words[0] == "care" && !l.care && l.rule != NoRule:
			l.care, words = true, words[1:]
		case words[0] == "date" && l.dates == nil && len(words) > 1:
			l.dates, words = strings.Split(words[1], ","), words[2:]
		default:
			return l, false
		}
	}
	return l, l.rule != NoRule
}

// ownerRule compiles the line of a type. A type without a line has the zero rule.
func (x *standard) ownerRule(typ string) (*ownerRule, error) {
	r := &ownerRule{ownerLine: x.rules[typ]}
	for _, owner := range r.owners {
		p, limit, _ := strings.Cut(owner, ":")
		e, err := compileFor(typ, p)
		if err != nil {
			return nil, err
		}
		r.ownerPaths = append(r.ownerPaths, ownerPath{e, limit})
	}
	for _, date := range r.dates {
		e, err := compileFor(typ, date)
		if err != nil {
			return nil, err
		}
		r.datePaths = append(r.datePaths, e)
	}
	return r, nil
}

func compileFor(typ, source string) (*path.Expr, error) {
	e, err := path.Compile(source)
	if err == nil {
		e, err = e.For(typ)
	}
	if err != nil {
		return nil, fmt.Errorf("owners.txt: %s: %w", typ, err)
	}
	return e, nil
}

// ownership evaluates the owner paths.
func (x *Indexer) ownership(w *scratch, r *ownerRule, id string) Ownership {
	o := Ownership{Rule: r.rule, Optional: r.optional}
	if r.rule != Owned {
		return o
	}
	if r.self {
		o.Patients = []string{id}
	}
	anybody := false
	for _, p := range r.ownerPaths {
		w.values = p.expr.Eval(&w.doc, w.values[:0])
		for _, v := range w.values {
			anybody = x.addOwner(&o, v, p.limit) || anybody
		}
		clear(w.values)
	}
	if r.optional && !anybody {
		return Ownership{Rule: Unowned}
	}
	o.Patients, o.InheritFrom = distinct(o.Patients, strings.Compare), distinct(o.InheritFrom, compareRefs)
	o.Unresolved = len(o.Patients) == 0
	if w.doc.Root().Type == "Binary" {
		for _, p := range o.Patients {
			o.SecurityContext = append(o.SecurityContext, fhir.Ref{Type: "Patient", ID: p})
		}
		o.SecurityContext = append(o.SecurityContext, o.InheritFrom...)
	}
	return o
}

// addOwner reads the reference of an owner path. It returns false if the reference certainly
// names no patient: it refers to a local resource of an unowned type, or to another type than the
// path is limited to.
func (x *Indexer) addOwner(o *Ownership, v path.Value, limit string) bool {
	literal := v.GetText("reference")
	ref, local := fhir.ParseRef(x.base, literal)
	if typ := v.GetText("type"); limit != "" && (local && ref.Type != limit || !local && typ != "" && typ != limit) {
		return false
	}
	switch {
	case local && ref.Type == "Patient":
		o.Patients = append(o.Patients, ref.ID)
		if i, ok := v.Get("identifier"); ok && i.GetText("value") != "" {
			o.Beside = append(o.Beside, Beside{ref.ID, Identifier{i.GetText("system"), i.GetText("value")}})
		}
	case local && x.rules[ref.Type].rule == Owned:
		o.InheritFrom = append(o.InheritFrom, fhir.Ref{Type: ref.Type, ID: ref.ID})
	case local:
		return x.rules[ref.Type].rule == NoRule
	default:
		if i, ok := v.Get("identifier"); ok && i.GetText("value") != "" {
			o.Identifiers = append(o.Identifiers, Identifier{i.GetText("system"), i.GetText("value")})
		}
		if literal != "" && literal[0] != '#' {
			o.Foreign = append(o.Foreign, literal)
		}
	}
	return true
}

// clinicalDate returns the start of the first date that the rule finds, or the end of a period
// without a start.
func (x *Indexer) clinicalDate(w *scratch, r *ownerRule) Date {
	for _, e := range r.datePaths {
		w.values = e.Eval(&w.doc, w.values[:0])
		for _, v := range w.values {
			if sp, ok := x.spanOf(v); ok {
				at := sp.lo
				if at == (moment{}) {
					at = sp.hi
				}
				return dateOf(at)
			}
		}
	}
	return noDate()
}
