package join

import (
	"context"
	"slices"

	"carerecord/consent"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Joins to and from Patients follow persons where the View joins Patients to people (IDN-120): a row refers to a person
// if it names any visible Patient of the person, or its number. Where the View does not, and for all other types, they
// follow ids.

// followsPersons reports whether joins to a type follow persons.
func (e *Executor) followsPersons(target string) bool { return target == "Patient" && e.view.Joins() }

// personsOf returns the persons of some visible Patients, each once.
func (e *Executor) personsOf(ctx context.Context, patients []store.Doc) ([]*consent.Person, error) {
	var keys []string
	for _, d := range patients {
		if key := e.view.PersonKeyOf(d); key != "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return e.view.PersonsByKey(ctx, slices.Compact(keys))
}

// refersToPersons matches rows that refer to one of some persons by a parameter.
func (e *Executor) refersToPersons(typ, param string, persons []*consent.Person) (store.Pred, error) {
	refs := make([]index.PersonRefs, len(persons))
	for i, p := range persons {
		refs[i] = p.Refs()
	}
	return e.view.Index().RefersToPersons(typ, param, refs)
}

// referredPersons returns the persons to whom rows refer by a parameter, each once.
func (e *Executor) referredPersons(ctx context.Context, typ, param string, rows []store.Doc) (all []*consent.Person, err error) {
	x := e.view.Index()
	seen := map[*consent.Person]bool{}
	note := func(p *consent.Person) {
		if p != nil && !seen[p] {
			seen[p], all = true, append(all, p)
		}
	}
	ids := idSet{}
	for _, d := range rows {
		to, err := x.ReferredIDs(typ, param, "Patient", d.Keys)
		if err != nil {
			return nil, err
		}
		for _, id := range to {
			ids[id] = true
		}
	}
	byID := map[string]*consent.Person{}
	for chunk := range slices.Chunk(ids.list(), LookupChunk) {
		if err := e.personsByID(ctx, chunk, byID); err != nil {
			return nil, err
		}
	}
	for _, p := range byID {
		note(p)
	}
	for _, d := range rows {
		numbers, err := x.ReferredNumbers(typ, param, d.Keys)
		if err != nil {
			return nil, err
		}
		for _, number := range numbers {
			p, err := e.view.PersonByNumber(ctx, number.System, number.Value)
			if err != nil {
				return nil, err
			}
			if p != nil && slices.Contains(index.Owners(d.Keys), p.KeyOf(number.Value)) {
				note(p)
			}
		}
	}
	return all, nil
}

// personsByID adds the persons of visible Patients, by the id of the Patient.
func (e *Executor) personsByID(ctx context.Context, ids []string, byID map[string]*consent.Person) error {
	refs := make([]store.Ref, len(ids))
	for i, id := range ids {
		refs[i] = store.Ref{Type: "Patient", ID: id}
	}
	var docs []store.Doc
	for d, err := range e.view.ForPersons().All(ctx, refs) {
		if err != nil {
			return err
		}
		docs = append(docs, d)
	}
	if _, err := e.personsOf(ctx, docs); err != nil {
		return err
	}
	for _, d := range docs {
		p, err := e.view.PersonByKey(ctx, e.view.PersonKeyOf(d))
		if err != nil {
			return err
		}
		byID[d.Ref.ID] = p
	}
	return nil
}

// spreadPatients makes reverseScan.spreadPatients. match returns those of some Patients that are at the far end of the join.
func (e *Executor) spreadPatients(match func(context.Context, []store.Doc) ([]store.Doc, error)) func(ctx context.Context, from, to *store.RowID) ([]endPatient, error) {
	return func(ctx context.Context, from, to *store.RowID) (all []endPatient, err error) {
		first, last := store.Partition(0), ^store.Partition(0)
		if from != nil {
			first = from.Partition
		}
		if to != nil {
			last = to.Partition
		}
		persons, err := e.view.PersonsByKey(ctx, e.view.SpreadBetween(first, last))
		if err != nil {
			return nil, err
		}
		personOf, patients := map[string]*consent.Person{}, []store.Doc{}
		for _, p := range persons {
			for _, d := range p.Patients {
				personOf[d.Ref.ID], patients = p, append(patients, d)
			}
		}
		found, err := match(ctx, patients)
		if err != nil {
			return nil, err
		}
		for _, d := range found {
			p := personOf[d.Ref.ID]
			for _, partition := range partitionsOf(p) {
				if first <= partition && partition <= last {
					all = append(all, endPatient{store.RowID{Partition: partition}, d.Ref.ID, p.Keys[0]})
				}
			}
		}
		return all, nil
	}
}

// partitionsOf returns the partitions of the Patients of a person.
func partitionsOf(p *consent.Person) (out []store.Partition) {
	for _, d := range p.Patients {
		out = append(out, d.RowID.Partition)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// patientsOf returns the ids of the Patients of some persons.
func patientsOf(persons []*consent.Person) idSet {
	out := idSet{}
	for _, p := range persons {
		for _, d := range p.Patients {
			out[d.Ref.ID] = true
		}
	}
	return out
}
