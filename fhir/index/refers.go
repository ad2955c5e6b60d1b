package index

import (
	"strings"

	"carerecord/store"
)

// maxDrivingKeys is how many alternatives a predicate lists as driving keys. More become a
// store.In.
const maxDrivingKeys = 1000

// RefersToOneOf returns the predicate of documents that refer, by a reference parameter, to one
// of some resources of a type. ids and list are the same ids. Errors are *Error.
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

// RefersTo is RefersToOneOf without driving keys. Errors are *Error.
func (x *Indexer) RefersTo(typ, name, target string, ids store.Set) (store.Pred, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	return store.In{Prefix: prefix(p.number, classRef) + store.Key(target+"/"), Set: ids}, nil
}

// HasContained returns the predicate of documents that refer, by a reference parameter, to a
// contained resource of a type. Errors are *Error.
func (x *Indexer) HasContained(typ, name, target string) (store.Pred, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	return eq(p.number, classContainedType, target), nil
}

// IDOneOf returns the predicate of documents of a type with one of some ids. ids and list are the
// same ids.
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

// IDIn is IDOneOf without driving keys. Errors are *Error.
func (x *Indexer) IDIn(typ string, ids store.Set) (store.Pred, error) {
	p, err := x.IDPrefix(typ)
	if err != nil {
		return nil, err
	}
	return store.In{Prefix: p, Set: ids}, nil
}

// IDPrefix returns the prefix of the driving key of a document's id, which follows it. Errors are
// *Error.
func (x *Indexer) IDPrefix(typ string) (store.Key, error) {
	p, err := x.served(typ, "_id")
	if err != nil {
		return "", err
	}
	return prefix(p.number, classCode), nil
}

// ReferredIDs returns, from the keys of a document, the ids of the resources of a type to which
// it refers by a reference parameter.
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

// RefersToVersion reports, from the keys of a document, whether it refers by a reference
// parameter to a version of a resource of a type.
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
