package pebble

import (
	"context"

	"carerecord/store"
)

// histories counts the history rows: each version has one. If there are more, the version of
// each is checked.
func (v *verifier) histories(ctx context.Context) error {
	return v.walkUnlessCounted(ctx, rowHistory, func(row, value []byte) error {
		e, err := parseHistory(row, value)
		if err != nil {
			return v.fault("%w", err)
		}
		code := typeCode(row[1])<<8 | typeCode(row[2])
		stored, err := v.versionNamed(code, e.id, e.version)
		if err == nil && stored.seq == e.seq && stored.milli == e.milli {
			return nil
		}
		return v.fault("the history of %s/%s has version %d of commit %d, which does not exist: %v", v.names[code], e.id, e.version, e.seq, err)
	})
}

// changes does the same for the rows of the change feed.
func (v *verifier) changes(ctx context.Context) error {
	return v.walkUnlessCounted(ctx, rowChange, func(row, value []byte) error {
		e, err := parseChange(row, value)
		if err != nil {
			return v.fault("%w", err)
		}
		stored, err := v.versionNamed(e.code, e.id, e.version)
		if err == nil && stored.seq == e.seq {
			return nil
		}
		return v.fault("the change feed has version %d of %s/%s in commit %d, which does not exist: %v", e.version, v.names[e.code], e.id, e.seq, err)
	})
}

// walkUnlessCounted calls f with the rows of a kind unless their number is the number of
// versions.
func (v *verifier) walkUnlessCounted(ctx context.Context, kind byte, f func(row, value []byte) error) error {
	n := 0
	if err := v.walk(ctx, kind, func(_, _ []byte) error { n++; return nil }); err != nil || n == v.live+v.superseded+v.tombstones {
		return err
	}
	return v.walk(ctx, kind, f)
}

// versionNamed returns the version that a row refers to; store.ErrNotFound if it never existed.
func (v *verifier) versionNamed(code typeCode, id string, version uint64) (stored, error) {
	now, err := v.newest(code, id)
	if err != nil {
		return stored{}, err
	}
	if version == 0 || version > now.version {
		return stored{}, store.ErrNotFound
	}
	return v.version(code, id, version, now)
}
