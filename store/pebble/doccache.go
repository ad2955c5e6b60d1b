package pebble

import (
	"hash/maphash"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"carerecord/store"
)

// docCache keeps live documents that were read of late, so that the next read of one
// looks up no row and decodes no key: what a record is asked for comes in bursts about few
// patients. It is an image of what stands, never of what a request may see. It is
// safe for concurrent use.
//
// A document that is kept is right for a snapshot that holds all commits up to
// the one it was read at, because each commit takes out what it writes, under the
// mutex, before it is applied; and nobody puts in what a commit has begun to write
// since his snapshot was made.
type docCache struct {
	seed   maphash.Seed
	shards [cacheShards]shard
}

// cacheShards is how many locks the documents are spread over.
const cacheShards = 16

type shard struct {
	mu        sync.Mutex
	docs      *simplelru.LRU[store.Ref, cachedDoc]
	capacity  int
	size      int    // bytes, about
	lastWrite uint64 // the last commit that has written, or begun to write, to this shelf
}

// cachedDoc is a document and the number of a commit from which on it is right.
type cachedDoc struct {
	doc  store.Doc
	at   uint64
	size int // bytes, about
}

// defaultDocCache is how much Config leaves open, and docOverhead what a document takes
// beside its text.
const (
	defaultDocCache = 64 << 20
	docOverhead     = 400
)

// newDocCache makes room for about so many bytes; with none nothing is kept.
func newDocCache(bytes int) (*docCache, error) {
	r := &docCache{seed: maphash.MakeSeed()}
	for i := range r.shards {
		s := &r.shards[i]
		s.capacity = bytes / cacheShards
		var err error
		s.docs, err = simplelru.NewLRU(s.capacity/docOverhead+1, func(_ store.Ref, k cachedDoc) { s.size -= k.size })
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *docCache) shard(ref store.Ref) *shard {
	return &r.shards[maphash.Comparable(r.seed, ref)%cacheShards]
}

// get returns a document for a snapshot that holds the first at commits.
func (r *docCache) get(ref store.Ref, at uint64) (store.Doc, bool) {
	s := r.shard(ref)
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
func (r *docCache) put(d store.Doc, at uint64) {
	s, k := r.shard(d.Ref), cachedDoc{d, at, sizeOf(d)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lastWrite > at || k.size > s.capacity/8 || s.docs.Contains(d.Ref) {
		return
	}
	s.docs.Add(d.Ref, k)
	for s.size += k.size; s.size > s.capacity; {
		s.docs.RemoveOldest()
	}
}

// invalidate takes out what the commit seq is about to write.
func (r *docCache) invalidate(ref store.Ref, seq uint64) {
	s := r.shard(ref)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastWrite = seq
	s.docs.Remove(ref)
}

func sizeOf(d store.Doc) int {
	n := docOverhead + len(d.Body) + len(d.Ref.ID)
	for _, key := range d.Keys {
		n += len(key) + 16
	}
	return n
}
