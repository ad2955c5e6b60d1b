package index

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"carerecord/fhir/path"
	"carerecord/fhir/r4"
	"carerecord/fhir/ucum"
	"carerecord/store"
)

// Config holds the settings on which keys depend.
type Config struct {
	Base       string           // public FHIR base, without a slash at the end
	Zone       *time.Location   // the local zone; nil is Europe/London
	Clock      func() time.Time // for ap on dates; nil is time.Now
	IndexWords bool             // keys of every word, for _text and _content (SRCH-157)
}

// Indexer makes keys of resources, and predicates of search parameters: those of the standard
// and those that were installed (Install). It is safe for concurrent use.
type Indexer struct {
	*standard
	defined *atomic.Pointer[Definitions]
}

// standard is the immutable part of an Indexer: the configuration and the parameters of R4.
type standard struct {
	base        string
	words       bool
	zone        *time.Location
	clock       func() time.Time
	rules       map[string]ownerLine
	typeIndexes map[string]func() (*typeIndex, error)
	units       unitCache
	scratch     sync.Pool // of *work
}

// scratch is the memory of one Index, kept for the next.
type scratch struct {
	doc           path.Doc
	keys          builder
	values        []path.Value
	tuple         builder      // of one element of a composite
	partValues    []path.Value // of one part of it
	containedRoom int          // bytes left for the keys of contained resources
}

// New checks the configuration. The parameters of a resource type are compiled
// when the type is first used.
func New(cfg Config) (*Indexer, error) {
	x := &Indexer{&standard{base: cfg.Base, words: cfg.IndexWords, zone: cfg.Zone, clock: cfg.Clock}, newDefined()}
	if strings.HasSuffix(x.base, "/") {
		return nil, fmt.Errorf("index: the base %q ends with a slash", x.base)
	}
	if x.clock == nil {
		x.clock = time.Now
	}
	if x.zone == nil {
		var err error
		if x.zone, err = time.LoadLocation("Europe/London"); err != nil {
			return nil, fmt.Errorf("index: local zone: %w", err)
		}
	}
	var err error
	if x.rules, err = parseOwners(ownerTable); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	x.units.known = map[string]*ucum.Unit{}
	x.typeIndexes = make(map[string]func() (*typeIndex, error))
	for _, typ := range r4.Resources() {
		x.typeIndexes[typ] = sync.OnceValues(func() (*typeIndex, error) { return x.compile(typ) })
	}
	x.scratch.New = func() any { return new(scratch) }
	return x, nil
}

func newDefined() *atomic.Pointer[Definitions] {
	p := &atomic.Pointer[Definitions]{}
	p.Store(&Definitions{})
	return p
}

// Base returns the public FHIR base, without a slash at the end.
func (x *Indexer) Base() string { return x.base }

// IndexesWords reports whether words have keys.
func (x *Indexer) IndexesWords() bool { return x.words }

// errType is the error for an unknown resource type.
var errType = errors.New("index: no resource type")

func (x *Indexer) typeIndex(typ string) (*typeIndex, error) {
	if ti := x.defined.Load().typeIndexes[typ]; ti != nil {
		return ti, nil
	}
	return x.standard.typeIndex(typ)
}

// typeIndex returns the parameters of the standard alone.
func (x *standard) typeIndex(typ string) (*typeIndex, error) {
	f := x.typeIndexes[typ]
	if f == nil {
		return nil, fmt.Errorf("%w: %q", errType, typ)
	}
	return f()
}

// Entry is the result of Index.
type Entry struct {
	// Keys are the keys of all search parameters, sorted and distinct. The server's own facts
	// (facts.go) are not among them.
	Keys []store.Key
	// Date is the clinical date for SortKeyOf.
	Date Date
	// Owners says which patients the resource is about.
	Owners Ownership
	// Mentions are the ids of local Patients that are not owners and to which a Reference
	// anywhere in the body refers, contained resources and extensions included. Sorted and
	// distinct.
	Mentions []string
	// Numbers are the NHS numbers of identifiers anywhere in the body and in embedded
	// resources, except those of the resource itself and of owners. The numbers of an
	// embedded Patient who is an owner by address are included. Sorted and distinct.
	Numbers []string
	// Attachments are the ids of local Binaries to which the url of an Attachment refers, in
	// the body or in embedded resources. Sorted and distinct.
	Attachments []string
}

// Index makes the Entry of a resource. body must have passed fhir.Parse. id and updated are
// used for _id and _lastUpdated; those in the body are not read.
func (x *Indexer) Index(typ, id string, updated time.Time, body []byte) (Entry, error) {
	ti, err := x.typeIndex(typ)
	if err != nil {
		return Entry{}, err
	}
	w := x.scratch.Get().(*scratch)
	defer x.scratch.Put(w)
	if err := w.doc.Reset(body); err != nil {
		return Entry{}, err
	}
	if got := w.doc.Root().Type; got != typ {
		return Entry{}, fmt.Errorf("index: the body of a %s has the type %q", typ, got)
	}
	w.keys.reset()
	w.containedRoom = maxContainedBytes
	for _, p := range ti.keyed {
		switch p.Code {
		case "_id":
			w.keys.add(p.number, classCode, id)
			w.keys.add(p.number|verifies, classPresent)
		case "_lastUpdated":
			lo := momentOf(updated)
			w.keys.dateKeys(p.number, span{lo, lo.add(0, 1), unitInstant})
			w.keys.add(p.number|verifies, classPresent)
		case textParam, contentParam:
			w.keys.wordKeys(p, w.doc.Root())
		default:
			x.paramKeys(w, &w.keys, p, w.doc.Root(), 0)
		}
	}
	row := Entry{Owners: x.ownership(w, ti.owners, id)}
	docs, readable := payloads(&w.doc, 0)
	x.addRelated(w, ti.owners, &row, docs, readable)
	row.Keys = w.keys.keys()
	row.Date = x.clinicalDate(w, ti.owners)
	return row, nil
}

// paramKeys makes the keys of one parameter for a resource: that of the body, or one
// it contains, at some depth of references among those.
func (x *Indexer) paramKeys(w *scratch, b *builder, p *param, of path.Value, depth int) {
	if p.composition != nil && p.composition.unionOf != nil {
		return
	}
	w.values = p.expr.EvalOn(of, of, w.values[:0])
	if p.Kind == Composite {
		for _, v := range w.values {
			x.compositeKeys(w, b, p, of, v)
		}
		clear(w.values)
		return
	}
	present := false
	for _, v := range w.values {
		present = present || v.Valued()
		x.valueKeys(b, p, v)
	}
	if present {
		b.add(p.number|verifies, classPresent)
	}
	var found []path.Value
	if p.Kind == Reference {
		found = containedTargets(w.values)
	}
	clear(w.values)
	for _, c := range found {
		x.addContained(w, b, p.number, c, depth+1)
	}
}

// valueKeys makes the keys of one value.
func (x *Indexer) valueKeys(b *builder, p *param, v path.Value) {
	switch p.Kind {
	case String:
		b.textKeys(p.number, v)
	case Token:
		b.tokenKeys(p, v)
	case Reference:
		x.referenceKeys(b, p.number, v)
	case URI:
		b.uriKeys(p.number, v)
	case Special:
		if at, ok := positionOf(v); ok {
			b.positionKey(p.number, at)
		}
	case DateTime:
		if sp, ok := x.spanOf(v); ok {
			b.dateKeys(p.number, sp)
		}
	case Number, Quantity:
		if a, ok := amountOf(v); ok {
			b.numberKeys(p.number, a)
			if p.Kind == Quantity {
				b.unitKeys(p.number, b.withBase(a, &x.units))
			}
		}
	case Composite: // collect makes these
	}
}
