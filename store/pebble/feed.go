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

// feedEnd is the end of the change feed: the last commit that is durable. A commit is visible
// before that, but the feed must not report a commit that a power failure may lose. It is safe
// for concurrent use.
type feedEnd struct {
	mu      sync.Mutex
	end     store.Position
	waiters chan struct{} // closed when end changes; nil while nobody waits
}

// advance records that the commits up to a number are durable.
func (s *feedEnd) advance(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq > s.end.Seq {
		s.end.Seq = seq
		s.notify()
	}
}

// reset replaces the feed by another one.
func (s *feedEnd) reset(feed string, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end = store.Position{FeedID: feed, Seq: seq}
	s.notify()
}

// rename changes the ID of the feed.
func (s *feedEnd) rename(feed string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end.FeedID = feed
	s.notify()
}

// wakeWaiters makes all waiting calls check again.
func (s *feedEnd) wakeWaiters() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notify()
}

// notify closes the channel that waiting calls received. The mutex must be held.
func (s *feedEnd) notify() {
	if s.waiters != nil {
		close(s.waiters)
		s.waiters = nil
	}
}

// get returns the end of the feed.
func (s *feedEnd) get() store.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end
}

// changed returns a channel that is closed when the end changes.
func (s *feedEnd) changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiters == nil {
		s.waiters = make(chan struct{})
	}
	return s.waiters
}

// checkPosition returns the end of the feed, or ErrUnknownPosition if a position is not part of
// it.
func (db *DB) checkPosition(ctx context.Context, p store.Position) (store.Position, error) {
	if err := ctx.Err(); err != nil {
		return store.Position{}, err
	}
	if err := db.outOfService(); err != nil {
		return store.Position{}, err
	}
	end := db.feedEnd.get()
	if p != (store.Position{}) && (p.FeedID != end.FeedID || p.Seq > end.Seq) {
		return store.Position{}, fmt.Errorf("pebble: position %d of feed %q is unknown: feed %q ends at %d: %w", p.Seq, p.FeedID, end.FeedID, end.Seq, store.ErrUnknownPosition)
	}
	return end, nil
}

// End implements store.ChangeFeed.
func (db *DB) End(ctx context.Context) (store.Position, error) {
	return db.checkPosition(ctx, store.Position{})
}

// Await implements store.ChangeFeed.
func (db *DB) Await(ctx context.Context, after store.Position) error {
	for {
		changed := db.feedEnd.changed() // before reading, so that no commit is missed
		page, err := db.Changes(ctx, after, 1)
		if err != nil || len(page) > 0 {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// maxPageVersions is about how many versions a page of the feed lists at most.
const maxPageVersions = 10_000

// Changes implements store.ChangeFeed.
func (db *DB) Changes(ctx context.Context, after store.Position, max int) ([]store.Change, error) {
	end, err := db.checkPosition(ctx, after)
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
	it, err := db.rows.NewIter(&pebble.IterOptions{LowerBound: changePrefix(after + 1), UpperBound: prefixEnd(changePrefix(end.Seq))})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	names := db.types.names() // read after the iterator is opened, so that it has all types of its rows
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
			if len(page) == max || named >= maxPageVersions {
				break
			}
			page = append(page, store.Change{At: store.Position{FeedID: end.FeedID, Seq: e.seq}})
		}
		c := &page[len(page)-1]
		c.Versions = append(c.Versions, store.VersionID{Ref: store.Ref{Type: names[e.code], ID: e.id}, Version: e.version})
		named++
	}
	for _, c := range page { // codes are not in the order of type names
		slices.SortFunc(c.Versions, store.CompareVersions)
	}
	return page, it.Error()
}

// RenewFeed implements store.Copier.
func (db *DB) RenewFeed(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := db.outOfService(); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock() // so that memory and rows agree after concurrent calls and commits
	feed := rand.Text()
	if err := setDurably(db.rows, nameRow(rowMeta, metaFeed), []byte(feed)); err != nil {
		db.fail(err)
		return unavailable("write the ID of the feed", err)
	}
	db.feedEnd.rename(feed)
	return nil
}
