package index

import (
	"strings"

	"carerecord/store"
)

// maxDrivingKeys is how many targets a predicate of RefersToOneOf names one by one, so
// that an index can drive by them; more are a set.
const maxDrivingKeys = 1000

// RefersToOneOf is what a document must satisfy to refer, by a reference parameter,
// to one of some resources of a type. Errors are *Error.
func (x *Indexer) RefersToOneOf(typ, name, target string, ids store.Set, list []string) (store.Pred, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	if len(list) > maxDrivingKeys {
		return x.RefersTo(typ, name, target, ids)
	}
	any := make(store.Or, len(list))
	for i, id := range list {
		any[i] = eq(p.number, classRef, target, "/", id)
	}
	return any, nil
}

// RefersTo is RefersToOneOf where no index is to be driven by the targets. Errors are *Error.
func (x *Indexer) RefersTo(typ, name, target string, ids store.Set) (store.Pred, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	return store.In{Prefix: prefix(p.number, classRef) + store.Key(target+"/"), Set: ids}, nil
}

// HasContained is what a document satisfies that refers, by a reference parameter, to a
// contained resource of a type. Errors are *Error.
func (x *Indexer) HasContained(typ, name, target string) (store.Pred, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	return eq(p.number, classContainedType, target), nil
}

// IDOneOf is what a document of a type must satisfy to have one of some ids.
func (x *Indexer) IDOneOf(typ string, ids store.Set, list []string) (store.Pred, error) {
	p, err := x.served(typ, "_id")
	if err != nil {
		return nil, err
	}
	if len(list) > maxDrivingKeys {
		return x.IDIn(typ, ids)
	}
	any := make(store.Or, len(list))
	for i, id := range list {
		any[i] = eq(p.number, classCode, id)
	}
	return any, nil
}

// IDIn is IDOneOf where no index is to be driven by the ids. Errors are *Error.
func (x *Indexer) IDIn(typ string, ids store.Set) (store.Pred, error) {
	p, err := x.IDPrefix(typ)
	if err != nil {
		return nil, err
	}
	return store.In{Prefix: p, Set: ids}, nil
}

// IDPrefix begins the key of a document of a type that says its id, which stands behind
// it. The key drives an index under the type. Errors are *Error.
func (x *Indexer) IDPrefix(typ string) (store.Key, error) {
	p, err := x.served(typ, "_id")
	if err != nil {
		return "", err
	}
	return prefix(p.number, classCode), nil
}

// ReferredIDs returns the ids of the resources of a type to which a document
// refers by a reference parameter, from its keys.
func (x *Indexer) ReferredIDs(typ, name, target string, keys []store.Key) ([]string, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	var ids []string
	for rest := range keysWithPrefix(keys, prefix(p.number, classRef)) {
		if id, ok := strings.CutPrefix(rest, target+"/"); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// RefersToVersion reports whether a document refers by a reference parameter to a
// version of a resource of a type, from its keys.
func (x *Indexer) RefersToVersion(typ, name, target string, keys []store.Key) (bool, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return false, err
	}
	for rest := range keysWithPrefix(keys, prefix(p.number|verifies, classVersion)) {
		if strings.HasPrefix(rest, target+"/") {
			return true, nil
		}
	}
	return false, nil
}
