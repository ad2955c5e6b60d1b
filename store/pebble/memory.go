package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"carerecord/store"
)

// CheckMemory compares the engine's memory with a rebuild from the rows and reports every
// difference; see the package documentation for its parts. The engine must not be used
// meanwhile. It is for the end of tests with concurrent use; its cost grows with the postings
// whose count is stored.
func (db *DB) CheckMemory(ctx context.Context) error {
	if err := db.outOfService(); err != nil {
		return err
	}
	db.countQueue.worker.Wait()
	db.mu.Lock()
	defer db.mu.Unlock()
	m := &memory{db: db, snap: db.snap(db.rows)}
	for _, check := range []func(context.Context) error{m.numbers, m.types, m.feed, m.head, m.counts, m.docCache, m.shared} {
		if err := check(ctx); err != nil {
			return fmt.Errorf("pebble: check memory: %w", err)
		}
	}
	return errors.Join(m.faults...)
}

// memory collects differences. Its snapshot is of the current rows and does not use the document
// cache. The mutex of the engine must be held.
type memory struct {
	*snap
	db     *DB
	faults []error
}

func (m *memory) differs(what string, has, want any) {
	m.faults = append(m.faults, fmt.Errorf("pebble: %s is %v in memory and %v in the rows", what, has, want))
}

func (m *memory) numbers(context.Context) error {
	seq, err := m.seq()
	if err != nil {
		return err
	}
	if m.db.seq != seq || m.db.applied.Load() != seq {
		m.differs("the last commit", fmt.Sprint(m.db.seq, " and ", m.db.applied.Load()), seq)
	}
	return nil
}

func (m *memory) types(context.Context) error {
	var rebuilt types
	if err := rebuilt.load(m.db.rows); err != nil {
		return err
	}
	if has, want := *m.db.types.codes.Load(), *rebuilt.codes.Load(); !maps.Equal(has, want) {
		m.differs("the codes of types", has, want)
	}
	return nil
}

func (m *memory) feed(context.Context) error {
	name, err := get(m.rows, nameRow(rowMeta, metaFeed))
	if err != nil {
		return err
	}
	if has, want := m.db.feedEnd.get(), (store.Position{FeedID: string(name), Seq: m.db.seq}); has != want {
		m.differs("the end of the feed", has, want)
	}
	return nil
}

func (m *memory) head(context.Context) error {
	last, err := m.db.lastRecord()
	if err != nil {
		return err
	}
	if has := m.db.head; has.Pos != last.Pos || has.Hash != last.Hash || m.db.durable.Load() != last.Pos {
		m.differs("the end of the log", fmt.Sprint(has.Pos, " and ", m.db.durable.Load()), last.Pos)
	}
	return nil
}

func (m *memory) counts(ctx context.Context) error {
	stored := 0
	for code, of := range *m.db.counts.keys.Load() {
		for key, k := range of {
			stored++
			what := fmt.Sprintf("the count of type %d with key %q", code, string(key))
			walked, err := m.walkPostings(code, key, 0, ctx.Err)
			if err != nil {
				return err
			}
			if k.n != int64(walked) || !k.stored || k.delta != 0 || !bytes.Equal(k.row, countRow(code, key)) {
				m.differs(what, fmt.Sprintf("%d, ready %t, delta %d", k.n, k.stored, k.delta), walked)
			}
			value, err := get(m.rows, k.row)
			if err != nil {
				return err
			}
			if n, err := parseCount(value); err != nil || int64(n) != k.n {
				m.differs(what, k.n, fmt.Sprintf("%x", value))
			}
		}
	}
	return m.walkRows(rowCount, stored)
}

// walkRows compares the number of rows of a kind.
func (m *memory) walkRows(kind byte, want int) error {
	v := verifier{snap: m.snap}
	n := 0
	if err := v.walk(context.Background(), kind, func(_, _ []byte) error { n++; return nil }); err != nil {
		return err
	}
	if n != want {
		m.differs("the number of stored counts", want, n)
	}
	return nil
}

func (m *memory) docCache(ctx context.Context) error {
	for i := range m.db.docCache.shards {
		s := &m.db.docCache.shards[i]
		s.mu.Lock()
		docs, taken := s.docs.Values(), s.size
		s.mu.Unlock()
		size := 0
		for _, k := range docs {
			size += k.size
			d, err := m.Get(ctx, k.doc.Ref)
			if errors.Is(err, store.ErrNotFound) {
				m.differs("a cached document", k.doc.Ref, "missing")
				continue
			}
			if err != nil {
				return err
			}
			if !sameDoc(&d, &k.doc) || k.at > m.db.seq {
				m.differs(fmt.Sprint("the cached document ", k.doc.Ref), fmt.Sprint(k.doc, " of commit ", k.at), d)
			}
		}
		if size != taken {
			m.differs("the size of the document cache", taken, size)
		}
	}
	return nil
}

func sameDoc(a, b *store.Doc) bool {
	return a.Ref == b.Ref && a.Version == b.Version && a.Updated.Equal(b.Updated) && a.Seq == b.Seq && a.RowID == b.RowID &&
		a.Source == b.Source && a.Origin == b.Origin && a.KeyRevision == b.KeyRevision && slices.Equal(a.Keys, b.Keys) && bytes.Equal(a.Body, b.Body)
}

// shared checks that the snapshot for the next read has at least the commits that it is recorded
// with. The next read replaces one that is not of the last commit.
func (m *memory) shared(context.Context) error {
	m.db.snapshots.mu.Lock()
	defer m.db.snapshots.mu.Unlock()
	l := m.db.snapshots.newest
	if l == nil {
		return nil
	}
	holds, err := m.db.snap(l.Snapshot).seq()
	if err != nil {
		return err
	}
	if l.at > holds || holds > m.db.seq || l.refs != 0 {
		m.differs("the shared snapshot", fmt.Sprintf("of commit %d with %d readers", l.at, l.refs), holds)
	}
	return nil
}
