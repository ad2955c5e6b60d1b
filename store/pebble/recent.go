package pebble

import (
	"hash/maphash"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"carerecord/store"
)

// recent keeps live documents that were read of late, so that the next read of one
// looks up no row and decodes no key: what a record is asked for comes in bursts about few
// patients. It is an image of what stands, never of what a request may see. It is
// safe for concurrent use.
//
// A document that is kept is right for a snapshot that holds all commits up to
// the one it was read at, because each commit takes out what it writes, under the
// mutex, before it is applied; and nobody puts in what a commit has begun to write
// since his snapshot was made.
type recent struct {
	seed    maphash.Seed
	shelves [shelves]shelf
}

// shelves is how many locks the documents are spread over.
const shelves = 16

type shelf struct {
	mu      sync.Mutex
	docs    *simplelru.LRU[store.Ref, remembered]
	room    int
	taken   int    // bytes, about
	written uint64 // the last commit that has written, or begun to write, to this shelf
}

// remembered is a document and the number of a commit from which on it is right.
type remembered struct {
	doc  store.Doc
	at   uint64
	size int // bytes, about
}

// recentBytes is how much Config leaves open, and keptBytes what a document takes
// beside its text.
const (
	recentBytes = 64 << 20
	keptBytes   = 400
)

// newRecent makes room for about so many bytes; with none nothing is kept.
func newRecent(bytes int) (*recent, error) {
	r := &recent{seed: maphash.MakeSeed()}
	for i := range r.shelves {
		s := &r.shelves[i]
		s.room = bytes / shelves
		var err error
		s.docs, err = simplelru.NewLRU(s.room/keptBytes+1, func(_ store.Ref, k remembered) { s.taken -= k.size })
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *recent) shelf(ref store.Ref) *shelf {
	return &r.shelves[maphash.Comparable(r.seed, ref)%shelves]
}

// get returns a document for a snapshot that holds the first at commits.
func (r *recent) get(ref store.Ref, at uint64) (store.Doc, bool) {
	s := r.shelf(ref)
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.docs.Get(ref)
	if !ok || k.at > at {
		return store.Doc{}, false
	}
	return k.doc, true
}

// put keeps a document that was read in a snapshot that holds the first at commits
// and perhaps later ones.
func (r *recent) put(d store.Doc, at uint64) {
	s, k := r.shelf(d.Ref), remembered{d, at, sizeOf(d)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.written > at || k.size > s.room/8 || s.docs.Contains(d.Ref) {
		return
	}
	s.docs.Add(d.Ref, k)
	for s.taken += k.size; s.taken > s.room; {
		s.docs.RemoveOldest()
	}
}

// write takes out what the commit seq is about to write.
func (r *recent) write(ref store.Ref, seq uint64) {
	s := r.shelf(ref)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = seq
	s.docs.Remove(ref)
}

func sizeOf(d store.Doc) int {
	n := keptBytes + len(d.Body) + len(d.Ref.ID)
	for _, key := range d.Keys {
		n += len(key) + 16
	}
	return n
}
