package index

import (
	"strings"

	"carerecord/store"
)

// PersonRefs says how rows refer to a person: by the ids of Patients, or by a national number. The zero PersonRefs is
// nobody.
type PersonRefs struct {
	Patients []string // ids; at least one, except of nobody
	Numbers  []PersonNumber
}

// PersonNumber is a national number by which rows refer to a person, and the person key of these rows.
type PersonNumber struct{ System, Value, Key string }

// ExpandPatients returns a predicate in which every reference to a Patient by id, and every identifier of a reference,
// means a person: byID and byNumber return the person, or nobody for a reference that stays literal. A row that names the
// number counts if it is about the person.
func ExpandPatients(pred store.Pred, byID func(id string) (PersonRefs, error), byNumber func(system, number string) (PersonRefs, error)) (store.Pred, error) {
	x := expander{byID, byNumber}
	return x.expand(pred)
}

type expander struct {
	byID     func(string) (PersonRefs, error)
	byNumber func(string, string) (PersonRefs, error)
}

func (x expander) expand(pred store.Pred) (store.Pred, error) {
	switch pred := pred.(type) {
	case store.And:
		list, err := x.all(pred)
		return store.And(list), err
	case store.Or:
		list, err := x.all(pred)
		return store.Or(list), err
	case store.Not:
		inner, err := x.expand(pred.Pred)
		return store.Not{Pred: inner}, err
	case store.VerifyOnly:
		inner, err := x.expand(pred.Pred)
		return store.VerifyOnly{Pred: inner}, err
	case store.Eq:
		return x.key(pred)
	case store.Range, store.Interval, store.Contains, store.In:
	}
	return pred, nil
}

func (x expander) all(list []store.Pred) ([]store.Pred, error) {
	out := make([]store.Pred, len(list))
	for i, p := range list {
		var err error
		if out[i], err = x.expand(p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// key expands the key of a reference.
func (x expander) key(pred store.Eq) (store.Pred, error) {
	k := pred.Key
	if len(k) < 3 || IsFact(k) || k[0] >= verifies>>8 {
		return pred, nil
	}
	var person PersonRefs
	var err error
	switch k[2] {
	case classRef:
		id, isPatient := strings.CutPrefix(string(k[3:]), "Patient/")
		if !isPatient {
			return pred, nil
		}
		person, err = x.byID(id)
	case classLogical:
		system, value, _ := strings.Cut(string(k[3:]), "\x00")
		person, err = x.byNumber(system, value)
	default:
		return pred, nil
	}
	if err != nil || len(person.Patients) == 0 {
		return pred, err
	}
	refs := person.refs(numberOf(k))
	if k[2] == classLogical {
		refs = append(refs, pred) // also of rows that are about nobody, or about somebody else
	}
	if len(refs) == 1 {
		return refs[0], nil
	}
	return refs, nil
}

// refs matches the rows that refer to the person by a parameter.
func (p PersonRefs) refs(number uint16) store.Or {
	var out store.Or
	for _, id := range p.Patients {
		out = append(out, eq(number, classRef, "Patient/", id))
	}
	for _, n := range p.Numbers {
		out = append(out, store.And{eq(number, classLogical, n.System, "\x00", n.Value), store.VerifyOnly{Pred: store.Eq{Key: OwnerKey(n.Key)}}})
	}
	return out
}

// RefersToPersons returns the predicate of documents that refer, by a reference parameter, to one of some persons.
// Errors are *Error.
func (x *Indexer) RefersToPersons(typ, name string, persons []PersonRefs) (store.Pred, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	ids, numbers, list := NameSet{}, map[string]string{}, []string{}
	for _, person := range persons {
		for _, id := range person.Patients {
			ids[id] = true
			list = append(list, id)
		}
		for _, n := range person.Numbers {
			numbers[n.System+"\x00"+n.Value] = n.Key
		}
	}
	refers, err := x.RefersToOneOf(typ, name, "Patient", ids, list)
	if err != nil || len(numbers) == 0 {
		return refers, err
	}
	byNumber := store.Or{}
	for number, key := range numbers {
		byNumber = append(byNumber, store.And{eq(p.number, classLogical, number), store.VerifyOnly{Pred: store.Eq{Key: OwnerKey(key)}}})
	}
	if len(numbers) > maxDrivingKeys { // few rows name a number: the others are not compared with each
		return store.Or{refers, store.And{store.Eq{Key: FactKey(FactByNumber)}, byNumber}}, nil
	}
	return store.Or{refers, byNumber}, nil
}

// NameSet is a set of ids or names.
type NameSet map[string]bool

// Has implements store.Set.
func (s NameSet) Has(name string) bool { return s[name] }

// LogicalReferences returns, from the keys of a document, the identifiers by which it refers to something by any
// reference parameter, with the values folded.
func LogicalReferences(keys []store.Key) []Identifier {
	var out []Identifier
	for _, k := range keys {
		if len(k) > 3 && k[2] == classLogical && k[0] < verifies>>8 && !IsFact(k) {
			system, value, _ := strings.Cut(string(k[3:]), "\x00")
			out = append(out, Identifier{system, value})
		}
	}
	return out
}

// ReferredNumbers returns, from the keys of a document, the system and the folded value of each identifier by which it
// refers to something by a reference parameter.
func (x *Indexer) ReferredNumbers(typ, name string, keys []store.Key) ([]Identifier, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	var out []Identifier
	for rest := range keysWithPrefix(keys, prefix(p.number, classLogical)) {
		system, value, _ := strings.Cut(rest, "\x00")
		out = append(out, Identifier{system, value})
	}
	return out, nil
}
