package index

import (
	"errors"
	"time"

	"carerecord/store"
)

// errNotBuilt is what a part of this package says until it is written.
var errNotBuilt = errors.New("index: not built")

// Config is what the keys depend on besides the resource.
type Config struct {
	Base  string           // public FHIR base, without a slash at the end
	Zone  *time.Location   // the local zone; nil is Europe/London
	Clock func() time.Time // for ap on dates; nil is time.Now
}

// Indexer makes keys of resources and predicates of search parameters. It is
// safe for concurrent use.
type Indexer struct {
	cfg Config
}

// New checks the configuration. The parameters of a resource type are compiled
// when the type is first used.
func New(cfg Config) (*Indexer, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Indexer{cfg: cfg}, nil
}

// Row is what Index finds in a resource.
type Row struct {
	// Keys are those of the search parameters and of _id, _lastUpdated and the
	// rest of meta: sorted and distinct. The server's own facts (facts.go) are
	// not among them.
	Keys []store.Key
	// Date is the clinical date for Order.
	Date Date
	// Owners says whom the resource is about.
	Owners Ownership
	// Mentions are the ids of local Patients that a Reference anywhere in the
	// body names, contained resources and extensions included, and that are
	// not owners. Sorted and distinct.
	Mentions []string
	// NHS are the well-formed NHS numbers that a Patient bears as identifiers,
	// nil for every other type.
	NHS []string
}

// Index makes the row of a resource. body must have passed fhir.Parse. updated
// is what _lastUpdated tests; the body's own meta.lastUpdated is not read.
func (x *Indexer) Index(typ, id string, updated time.Time, body []byte) (Row, error) {
	return Row{}, errNotBuilt
}
