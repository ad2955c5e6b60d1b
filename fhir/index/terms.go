package index

import (
	"slices"

	"carerecord/fhir/term"
	"carerecord/store"
)

// isTermModifier reports whether a modifier of tokens needs terminology (SRCH-051, 052).
func isTermModifier(modifier string) bool {
	return slices.Contains([]string{"in", "not-in", "above", "below"}, modifier)
}

// mime is the system of media types, whose :below needs no terminology.
const mime = "urn:ietf:bcp:13"

func (p *param) needsTerms(modifier string) bool {
	return p.Kind == Token && isTermModifier(modifier) && !(p.singleSystem == mime && modifier == "below")
}

// NeedsTerminology reports whether a modifier of a parameter needs terminology. If so, the caller
// expands the value and passes the set to InCodes. system is the system of all codes of the
// parameter if there is only one (SRCH-043). Errors are *Error.
func (x *Indexer) NeedsTerminology(typ, name, modifier string) (system string, asks bool, err error) {
	p, err := x.served(typ, name)
	if err != nil {
		return "", false, err
	}
	if !p.needsTerms(modifier) {
		return "", false, nil
	}
	return p.singleSystem, true, p.takes(modifier)
}

// InCodes returns the predicate of documents with a code of a set in a token parameter. Up to
// maxDrivingKeys codes drive one by one, more by their systems.
func (x *Indexer) InCodes(typ, name string, set term.Set) (store.Pred, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	any := store.Or{}
	for _, system := range set.Whole() {
		any = append(any, p.systemCodePred(system, ""))
	}
	for _, system := range set.Systems() {
		if p.singleSystem != "" && p.singleSystem != system {
			continue
		}
		codes := set.Codes(system)
		if len(any)+len(codes) > maxDrivingKeys {
			any = append(any, store.And{p.systemCodePred(system, ""), p.codesPred(system, codes)})
			continue
		}
		for _, code := range codes {
			any = append(any, p.systemCodePred(system, code))
		}
	}
	return any, nil
}

// codesPred holds if one of many codes of a system is present.
func (p *param) codesPred(system string, codes []string) store.Pred {
	names := make(namesSet, len(codes))
	for _, code := range codes {
		if !isCaseSensitive(system) {
			code = foldCode(code)
		}
		names[code] = true
	}
	switch {
	case p.singleSystem == "":
		return store.In{Prefix: prefix(p.number, classSystem) + store.Key(system+"\x00"), Set: names}
	case isCaseSensitive(system):
		return store.In{Prefix: prefix(p.number, classCode), Set: names}
	}
	return store.In{Prefix: prefix(p.number, classFolded), Set: names}
}

// namesSet is a store.Set of the listed names.
type namesSet map[string]bool

// Has reports membership.
func (s namesSet) Has(name string) bool { return s[name] }

// mediaTypePred finds a media type with any parameters (SRCH-053).
func (p *param) mediaTypePred(parts []string, value string) (store.Pred, error) {
	if len(parts) == 2 && parts[0] != mime {
		return store.Or{}, nil
	}
	if len(parts) > 2 || parts[len(parts)-1] == "" {
		return nil, fault("value", "%s:below: %q is not a media type.", p.Code, value)
	}
	code := foldCode(parts[len(parts)-1])
	return store.Or{eq(p.number, classFolded, code), withPrefix(p.number, classFolded, code, ";"), withPrefix(p.number, classFolded, code, " ")}, nil
}
