// Package consent decides what may be seen and is the only way to data.
//
// A Principal says who asks, built once from a verified token. Guard.Read runs
// the pipeline of decide.go, one function a step, and makes a Grant: for every
// type a predicate over index keys, and what has to be cut out of what is seen.
// A View is the store under that Grant: the same methods, over projected
// documents. What a Grant hides is not there: not in a page, not in a count,
// not in a history, not for a condition of a write. Search and REST hold Views
// and nothing else; writing goes through View.Commit.
//
// # Facts
//
// Beside the keys that fhir/index finds in a body, each document carries facts
// of the server's own, as keys: its owners (patients whom it is about), the
// patients whom it only mentions, its source organisation, and named facts (see
// facts.go). All guards are positive: a fact that is missing hides.
//
// Facts may follow from other documents: the owners of a List from its entries, those
// of a row by NHS number from the Patient that bears it. What a commit reads for that is
// a check or an absence of its batch (reads.go). What depends on a commit is keyed
// behind it, and is its source's alone until then (backlog.go, catchup.go).
//
// # Memory
//
// land.go is the only way by which documents are committed. It keeps what is in memory
// and decides in step with the store: the register of directives, the types and names
// that are there, the backlog, the table of defined search parameters. docs/memory.md
// lists them, and Guard.CheckMemory compares them with a rebuild.
//
// # What is decided today
//
// Steps 1, 2, 3, 11 and 13 of the decision order whole; of step 6 agreement and
// role, and a relationship only where the agreement assumes it; of step 7 the
// regional opt-out; of step 8 that any other directive from a feed denies all
// direct care of that patient; of steps 4, 9 and 10 the thin forms that
// facts.go and where.go say; of section 12 that references to rows that a label
// hides are cut (labels.go). Everything else is denied.
package consent
