package pebble

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// shown is how far the feed may be shown: to the last commit that is durable. A
// commit is visible before that, but one that was told of and then lost by a
// failure of the power would have been a lie. It is safe for concurrent use.
type shown struct {
	mu    sync.Mutex
	end   store.Position
	grown chan struct{} // closed when there may be more; nil while nobody waits
}

// upTo says that the commits up to a number are durable.
func (s *shown) upTo(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq > s.end.Seq {
		s.end.Seq = seq
		s.tell()
	}
}

// begin says that there is another feed.
func (s *shown) begin(feed string, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end = store.Position{Feed: feed, Seq: seq}
	s.tell()
}

// renew says that the feed, as far as it is shown, has another name.
func (s *shown) renew(feed string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end.Feed = feed
	s.tell()
}

// wake lets those who wait look again.
func (s *shown) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell()
}

// tell closes what those who wait look at. The mutex must be held.
func (s *shown) tell() {
	if s.grown != nil {
		close(s.grown)
		s.grown = nil
	}
}

// now returns the end of the feed.
func (s *shown) now() store.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end
}

// later returns what is closed when there is more than now.
func (s *shown) later() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grown == nil {
		s.grown = make(chan struct{})
	}
	return s.grown
}

// within returns the end of the feed that a position is one of.
func (db *DB) within(ctx context.Context, p store.Position) (store.Position, error) {
	if err := ctx.Err(); err != nil {
		return store.Position{}, err
	}
	if err := db.up(); err != nil {
		return store.Position{}, err
	}
	end := db.shown.now()
	if p != (store.Position{}) && (p.Feed != end.Feed || p.Seq > end.Seq) {
		return store.Position{}, fmt.Errorf("pebble: position %d of feed %q, and feed %q ends at %d: %w", p.Seq, p.Feed, end.Feed, end.Seq, store.ErrUnknownPosition)
	}
	return end, nil
}

// End implements store.ChangeFeed.
func (db *DB) End(ctx context.Context) (store.Position, error) {
	return db.within(ctx, store.Position{})
}

// Await implements store.ChangeFeed.
func (db *DB) Await(ctx context.Context, after store.Position) error {
	for {
		later := db.shown.later() // before looking, so that nothing falls between
		page, err := db.Changes(ctx, after, 1)
		if err != nil || len(page) > 0 {
			return err
		}
		select {
		case <-later:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// maxNamed is about how many versions a page of the feed names at most.
const maxNamed = 10_000

// Changes implements store.ChangeFeed.
func (db *DB) Changes(ctx context.Context, after store.Position, max int) ([]store.Change, error) {
	end, err := db.within(ctx, after)
	if err != nil {
		return nil, err
	}
	page, err := db.changes(ctx, after.Seq, end, max)
	if err != nil && ctx.Err() == nil {
		err = unavailable("read the feed", err)
	}
	return page, err
}

func (db *DB) changes(ctx context.Context, after uint64, end store.Position, max int) (page []store.Change, err error) {
	it, err := db.rows.NewIter(&pebble.IterOptions{LowerBound: changePrefix(after + 1), UpperBound: behind(changePrefix(end.Seq))})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	names := db.types.names() // after the iterator: it has the types of all that is in it
	named := 0
	for ok := it.First(); ok; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, err := parseChange(it.Key(), it.Value())
		if err != nil {
			return nil, err
		}
		if len(page) == 0 || page[len(page)-1].At.Seq != e.seq {
			if len(page) == max || named >= maxNamed {
				break
			}
			page = append(page, store.Change{At: store.Position{Feed: end.Feed, Seq: e.seq}})
		}
		c := &page[len(page)-1]
		c.Versions = append(c.Versions, store.VersionID{Ref: store.Ref{Type: names[e.code], ID: e.id}, Version: e.version})
		named++
	}
	for _, c := range page { // codes are not in the order of names
		slices.SortFunc(c.Versions, store.CompareVersions)
	}
	return page, it.Error()
}

// RenewFeed implements store.Copier.
func (db *DB) RenewFeed(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := db.up(); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock() // so that of two, and of a commit beside it, memory and rows tell the same
	feed := rand.Text()
	if err := setDurably(db.rows, nameRow(rowMeta, metaFeed), []byte(feed)); err != nil {
		db.fail(err)
		return unavailable("begin another feed", err)
	}
	db.shown.renew(feed)
	return nil
}
