package pebble

import (
	"cmp"
	"context"
	"encoding/binary"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// History implements store.Snapshot. The history of a type reads the h rows. The history of one
// document reads the records of its versions, which are few, and sorts them.
func (s *snap) History(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		if err := s.check(ctx); err != nil {
			yield(store.Doc{}, err)
			return
		}
		code, found := s.types.code(q.Type)
		if !found {
			return
		}
		h := history{snap: s, q: q, code: code, yield: yield}
		var err error
		if q.ID == "" {
			err = h.ofType(ctx)
		} else {
			err = h.ofDocument(ctx)
		}
		if err != nil {
			if ctx.Err() == nil {
				err = unavailable("read history of "+q.Type, err)
			}
			yield(store.Doc{}, err)
		}
	}
}

// history is one run of a HistoryQuery.
type history struct {
	*snap
	q     store.HistoryQuery
	code  typeCode
	yield func(store.Doc, error) bool
	done  bool // the caller has stopped
}

func (h *history) ofType(ctx context.Context) error {
	low := appendCode(nil, rowHistory, h.code)
	it, err := h.rows.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: prefixEnd(low)})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.SeekGE(h.first(low)); ok && !h.done; ok = it.Next() {
		if err := h.check(ctx); err != nil {
			return err
		}
		e, err := parseHistory(it.Key(), it.Value())
		if err != nil {
			return err
		}
		if instant(e.milli).Before(h.q.Since) {
			break
		}
		if h.afterMark(e) {
			now, err := h.newest(h.code, e.id)
			if err != nil {
				return err
			}
			if err := h.yieldVersion(e, now); err != nil {
				return err
			}
		}
	}
	return it.Error()
}

// first returns the first row to read: the row of the mark, if the mark names a version of this
// type.
func (h *history) first(low []byte) []byte {
	m := h.q.Before
	if m == nil {
		return low
	}
	if !m.Updated.Equal(instant(m.Updated.UnixMilli())) { // no version has such an instant
		return historyPrefix(h.code, m.Updated.UnixMilli(), math.MaxUint64)
	}
	id := ""
	if m.Ref.Type == h.q.Type {
		id = m.Ref.ID
	}
	return historyRow(h.code, m.Updated.UnixMilli(), m.Seq, id)
}

// afterMark reports whether an entry comes after the query's mark.
func (h *history) afterMark(e historyEntry) bool {
	m := h.q.Before
	return m == nil || 0 < cmp.Or(
		m.Updated.Compare(instant(e.milli)),
		cmp.Compare(m.Seq, e.seq),
		strings.Compare(h.q.Type, m.Ref.Type),
		strings.Compare(e.id, m.Ref.ID),
		cmp.Compare(m.Version, e.version))
}

func (h *history) ofDocument(ctx context.Context) error {
	now, err := h.newest(h.code, h.q.ID)
	if err != nil || now.version == 0 {
		return err
	}
	entries, err := h.entries(ctx, now)
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b historyEntry) int {
		return cmp.Or(cmp.Compare(b.milli, a.milli), cmp.Compare(b.seq, a.seq), cmp.Compare(b.version, a.version))
	})
	for _, e := range entries {
		if err := h.check(ctx); err != nil {
			return err
		}
		if err := h.yieldVersion(e, now); err != nil || h.done {
			return err
		}
	}
	return nil
}

// entries collects the versions of one document that the query selects by time and mark,
// unordered.
func (h *history) entries(ctx context.Context, now newestEntry) ([]historyEntry, error) {
	var entries []historyEntry
	add := func(rec record) {
		e := historyEntry{milli: rec.milli, seq: rec.seq, id: h.q.ID, version: rec.version}
		if !instant(e.milli).Before(h.q.Since) && h.afterMark(e) {
			entries = append(entries, e)
		}
	}
	if now.live {
		v, err := h.live(now.id)
		if err != nil {
			return nil, err
		}
		add(v.record)
	}
	low := versionPrefix(rowVersion, h.code, h.q.ID)
	it, err := h.rows.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: prefixEnd(low)})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if err := h.check(ctx); err != nil {
			return nil, err
		}
		v, err := parseVersion(h.code, h.q.ID, it.Value())
		if err != nil {
			return nil, err
		}
		if v.version != binary.BigEndian.Uint64(it.Key()[len(low):]) {
			return nil, errDamaged
		}
		add(v.record)
	}
	return entries, it.Error()
}

// yieldVersion yields the version of an entry if it matches.
func (h *history) yieldVersion(e historyEntry, now newestEntry) error {
	v, err := h.version(h.code, e.id, e.version, now)
	if err != nil {
		return err
	}
	keys, err := decodeKeys(v.keys, nil)
	if err != nil {
		return err
	}
	if h.q.Where != nil && !store.Match(h.q.Where, keys) {
		return nil
	}
	d, err := h.withBody(h.q.Type, v, keys)
	if err != nil {
		return err
	}
	h.done = !h.yield(d, nil)
	return nil
}
