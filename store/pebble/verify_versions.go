package pebble

import (
	"context"

	"carerecord/store"
)

// histories counts the history rows: as many as there are versions, each of
// which has one. If there are more, each is asked for its version.
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
		return v.fault("history of %s/%s names version %d of commit %d, which is not there: %v", v.names[code], e.id, e.version, e.seq, err)
	})
}

// changes does the same for the rows of the feed.
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
		return v.fault("the feed names version %d of %s/%s in commit %d, which is not there: %v", e.version, v.names[e.code], e.id, e.seq, err)
	})
}

// walkUnlessCounted calls f with the rows of a kind if there are not as many as versions.
func (v *verifier) walkUnlessCounted(ctx context.Context, kind byte, f func(row, value []byte) error) error {
	n := 0
	if err := v.walk(ctx, kind, func(_, _ []byte) error { n++; return nil }); err != nil || n == v.live+v.superseded+v.dead {
		return err
	}
	return v.walk(ctx, kind, f)
}

// versionNamed returns a version that a row names; store.ErrNotFound for one that never
// was.
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
