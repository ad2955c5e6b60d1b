// Package consent decides which documents a requester may see, and is the only access to the
// store.
//
// A Principal is the verified requester. Guard.Read runs the decision steps (decide.go,
// patientsteps.go), one function each, and makes a Grant: for every type a predicate over index
// keys, and the elements that are cut. A View is the store under that Grant: the read methods of
// store.Snapshot over projected documents. If a Grant hides a document, pages, counts, histories and
// the conditions of writes are as if it did not exist. Search and REST hold only Views; writes go
// through View.Commit.
//
// # Packages below
//
// consent/facts makes the keys of documents: besides those that fhir/index finds in a body, the
// owners (patients whom the document is about), the patients whom it only mentions, its source, and
// named facts. Guards are positive: a document without a fact is hidden. Facts can depend on other
// documents: the owners of a List on its entries, those of a row by NHS number on the Patient with
// that number. A commit makes the documents that it read for this a condition of its batch. The
// dependents of its documents are rekeyed after it, and until then only their source sees them
// (consent/backlog, catchup.go).
//
// consent/register is the in-memory table of directives, consent/definitions the table of defined
// search parameters. Guard.commitPrepared (prepared.go) is the only path by which documents are
// committed, and keeps these tables in step with the store. docs/memory.md lists them, and
// Guard.CheckMemory compares them with a rebuild.
//
// # Decision steps that are built
//
// Complete: steps 1, 2, 3, 11 and 13. Step 6: agreement and role, and a relationship where the
// agreement assumes it. Step 7: the regional opt-out. Step 8: any other directive from a source
// system denies all direct care of the patient. Steps 4, 9 and 10: the part that where.go states.
// Section 12: references to rows that a label hides are cut (project.go). Everything else is denied.
package consent
