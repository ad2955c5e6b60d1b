package pebble

import (
	"hash/maphash"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"carerecord/store"
)

// docCache caches live documents that were read recently, so that the next read of one needs no
// row: requests come in bursts about few patients. It holds the current documents, independent
// of what a requester may see. It is safe for concurrent use.
//
// A cached document is valid for a snapshot that has all commits up to the one at which it was
// read, for two reasons: each commit removes the documents that it writes, under the mutex,
// before it is applied; and put rejects a document that a commit has begun to write since the
// snapshot was made.
type docCache struct {
	seed   maphash.Seed
	shards [cacheShards]shard
}

// cacheShards is the number of locks.
const cacheShards = 16

type shard struct {
	mu        sync.Mutex
	docs      *simplelru.LRU[store.Ref, cachedDoc]
	capacity  int
	size      int    // bytes, about
	lastWrite uint64 // the last commit that has written, or begun to write, a document of this shard
}

// cachedDoc is a document and the number of the first commit for which it is valid.
type cachedDoc struct {
	doc  store.Doc
	at   uint64
	size int // bytes, about
}

// defaultDocCache is the size if Config leaves it open, docOverhead the size of a document
// besides its text.
const (
	defaultDocCache = 64 << 20
	docOverhead     = 400
)

// newDocCache returns a cache of about so many bytes; with 0 nothing is cached.
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

// get returns a document for a snapshot that has the commits up to at.
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

// put adds a document that was read in a snapshot that has the commits up to at, and perhaps
// later ones.
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

// invalidate removes a document that the commit seq is about to write.
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
