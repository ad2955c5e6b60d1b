package pebble

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// maxFaults is how many faults Verify reports before it stops.
const maxFaults = 20

// Verify reads the whole engine and reports every row that does not agree with the others:
// postings without a document, documents whose postings, body or i row are missing, i rows,
// history and change rows without a version, versions without history or change row, stored
// counts that differ from the postings, a log with a gap or a broken chain. Nil means no fault.
// Concurrent writes are allowed.
func (db *DB) Verify(ctx context.Context) error {
	if err := db.outOfService(); err != nil {
		return err
	}
	snapshot := db.rows.NewSnapshot()
	defer snapshot.Close()
	v := verifier{snap: db.snap(snapshot), names: db.types.names()}
	for _, walk := range []func(context.Context) error{v.documents, v.postings, v.typeRows, v.bodies, v.newestRows, v.versions, v.oldBodies, v.histories, v.changes, v.counts, v.log} {
		if err := walk(ctx); err != nil && !errors.Is(err, errFaults) {
			return fmt.Errorf("pebble: verify: %w", err)
		}
		if len(v.faults) >= maxFaults {
			break
		}
	}
	return errors.Join(v.faults...)
}

// verifier collects faults. Each kind of rows is counted while it is walked: if every expected
// row exists and the number is right, there are no others.
type verifier struct {
	*snap
	names  map[typeCode]string
	faults []error

	live, tombstones, superseded, posted int // expected numbers of rows
}

var errFaults = errors.New("too many faults")

// fault adds a fault and ends the walk when there are too many.
func (v *verifier) fault(format string, args ...any) error {
	if v.faults = append(v.faults, fmt.Errorf("pebble: verify: "+format, args...)); len(v.faults) >= maxFaults {
		return errFaults
	}
	return nil
}

// walk calls f with every row of a kind.
func (v *verifier) walk(ctx context.Context, kind byte, f func(row, value []byte) error) error {
	it, err := v.rows.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := f(it.Key(), value); err != nil {
			return err
		}
	}
	return it.Error()
}

// mustExist adds a fault if a row is missing.
func (v *verifier) mustExist(row []byte, format string, args ...any) error {
	value, err := get(v.rows, row)
	if err != nil || value != nil {
		return err
	}
	return v.fault(format, args...)
}

// documents checks for each live document all rows that belong to it.
func (v *verifier) documents(ctx context.Context) error {
	return v.walk(ctx, rowDoc, func(row, value []byte) error {
		id, ok := lastRowID(row)
		rec, err := parseRecord(value)
		var keys []store.Key
		if err == nil {
			keys, err = decodeKeys(rec.keys, nil)
		}
		if err != nil || !ok || v.names[rec.code] == "" {
			return v.fault("document row %x is damaged: %v", row, err)
		}
		v.live++
		name := v.names[rec.code] + "/" + string(rec.id)
		now, err := v.newest(rec.code, string(rec.id))
		if err != nil || !now.live || now.id != id || now.version != rec.version {
			if err := v.fault("%s version %d has row ID %x, and its i row has %+v, %v", name, rec.version, id, now, err); err != nil {
				return err
			}
		}
		if err := v.mustExist(docRow(rowBody, id), "%s has no body", name); err != nil {
			return err
		}
		if err := v.mustExist(allRow(rec.code, id), "%s has no row of its type", name); err != nil {
			return err
		}
		if err := v.mustBeInHistory(rec.code, string(rec.id), rec); err != nil {
			return err
		}
		for _, k := range keys {
			code, ok := postingCode(rec.code, k)
			if !ok {
				continue
			}
			v.posted++
			if err := v.mustExist(postingRow(nil, code, k, id), "%s has no posting of key %q", name, string(k)); err != nil {
				return err
			}
		}
		return nil
	})
}

// mustBeInHistory checks the rows by which history and change feed find a version.
func (v *verifier) mustBeInHistory(code typeCode, id string, rec record) error {
	err := v.mustExist(historyRow(code, rec.milli, rec.seq, id), "%s/%s version %d is not in the history", v.names[code], id, rec.version)
	if err != nil {
		return err
	}
	return v.mustExist(changeRow(rec.seq, code, id), "%s/%s version %d is not in the change feed", v.names[code], id, rec.version)
}

// postings counts the postings. If there are more than the documents have, the document of each
// is checked.
func (v *verifier) postings(ctx context.Context) error {
	n := 0
	if err := v.walk(ctx, rowPosting, func(_, _ []byte) error { n++; return nil }); err != nil || n == v.posted {
		return err
	}
	return v.walk(ctx, rowPosting, func(row, _ []byte) error {
		key, rest, ok := cutKey(row[min(3, len(row)):])
		if !ok || len(rest) != rowIDSize {
			return v.fault("posting row %x is damaged", row)
		}
		return v.mustHaveDocument(row, rowID(rest), store.Key(key))
	})
}

// mustHaveDocument adds a fault unless a live document has the row ID, the type of the row and,
// if key is not empty, the key.
func (v *verifier) mustHaveDocument(row []byte, id rowID, key store.Key) error {
	stored, err := v.snap.live(id)
	if errors.Is(err, errNoDoc) {
		return v.fault("row %x refers to a document that does not exist", row)
	}
	if err != nil {
		return v.fault("document at %x: %w", id, err)
	}
	keys, err := decodeKeys(stored.keys, nil)
	if err != nil {
		return v.fault("document at %x: %w", id, err)
	}
	postingKey, _ := postingCode(stored.code, key)
	code := appendCode(nil, row[0], postingKey)
	if string(row[:3]) != string(code) || key != "" && !containsKey(keys, key) {
		return v.fault("row %x refers to %s/%s, which has no such key or type", row, v.names[stored.code], stored.record.id)
	}
	return nil
}

func (v *verifier) typeRows(ctx context.Context) error {
	return v.walk(ctx, rowAll, func(row, _ []byte) error {
		id, ok := lastRowID(row)
		if !ok || len(row) != 3+rowIDSize {
			return v.fault("row %x is damaged", row)
		}
		return v.mustHaveDocument(row, id, "")
	})
}

func (v *verifier) bodies(ctx context.Context) error {
	n := 0
	err := v.walk(ctx, rowBody, func(_, _ []byte) error { n++; return nil })
	if err == nil && n > v.live {
		err = v.fault("%d bodies of %d live documents", n, v.live)
	}
	return err
}

// newestRows checks the newest version of each i row, and counts the expected superseded
// versions.
func (v *verifier) newestRows(ctx context.Context) error {
	live := 0
	err := v.walk(ctx, rowNewest, func(row, value []byte) error {
		now, err := parseNewest(value)
		if err != nil || len(row) < 3 {
			return v.fault("i row %x is damaged: %v", row, err)
		}
		code, id := typeCode(row[1])<<8|typeCode(row[2]), string(row[3:])
		v.superseded += int(now.version) - 1
		if now.live {
			live++
			stored, err := v.snap.live(now.id)
			if err == nil && stored.record.keyRevision != now.keyRevision {
				return v.fault("%s/%s has key revision %d in its i row and %d in its document", v.names[code], id, now.keyRevision, stored.record.keyRevision)
			}
			if err != nil || stored.code != code || string(stored.record.id) != id {
				return v.fault("the i row of %s/%s refers to %x, which is not its document: %v", v.names[code], id, now.id, err)
			}
			return nil
		}
		v.tombstones++
		return v.mustExist(versionRow(rowVersion, code, id, now.version), "%s/%s has no tombstone", v.names[code], id)
	})
	if err == nil && live != v.live {
		err = v.fault("%d live i rows of %d documents", live, v.live)
	}
	return err
}

// versions checks the i row, the body and the history of each superseded version and tombstone.
func (v *verifier) versions(ctx context.Context) error {
	n := 0
	err := v.walk(ctx, rowVersion, func(row, value []byte) error {
		n++
		id, rest, ok := cutKey(row[min(3, len(row)):])
		if !ok || len(rest) != 8 {
			return v.fault("version row %x is damaged", row)
		}
		code := typeCode(row[1])<<8 | typeCode(row[2])
		stored, err := parseVersion(code, id, value)
		if err == nil {
			_, err = decodeKeys(stored.keys, nil)
		}
		if err != nil || string(row) != string(versionRow(rowVersion, code, id, stored.version)) {
			return v.fault("version row %x is damaged: %v", row, err)
		}
		name := fmt.Sprintf("%s/%s version %d", v.names[code], id, stored.version)
		now, err := v.newest(code, id)
		if err != nil || now.version < stored.version || now.live && now.version == stored.version {
			return v.fault("%s is stored as superseded, and its i row has %+v, %v", name, now, err)
		}
		if now.version == stored.version && now.keyRevision != stored.keyRevision {
			return v.fault("%s has key revision %d in its i row and %d in its own row", name, now.keyRevision, stored.keyRevision)
		}
		if stored.body != nil {
			if err := v.mustExist(stored.body, "%s has no body", name); err != nil {
				return err
			}
		}
		return v.mustBeInHistory(code, id, stored.record)
	})
	if err == nil && n != v.superseded+v.tombstones {
		err = v.fault("%d rows of versions, expected %d superseded and %d tombstones", n, v.superseded, v.tombstones)
	}
	return err
}

func (v *verifier) oldBodies(ctx context.Context) error {
	return v.walk(ctx, rowOldBody, func(row, _ []byte) error {
		version := append([]byte{rowVersion}, row[1:]...)
		return v.mustExist(version, "body row %x has no version", row)
	})
}

// counts compares the stored counts with the postings.
func (v *verifier) counts(ctx context.Context) error {
	seq, err := v.seq()
	if err != nil {
		return err
	}
	counted, err := get(v.rows, nameRow(rowMeta, metaCounted))
	if err != nil {
		return err
	}
	return v.walk(ctx, rowCount, func(row, value []byte) error {
		code, key, ok := parseCountRow(row)
		n, err := parseCount(value)
		if !ok || err != nil || v.names[code] == "" {
			return v.fault("count row %x is damaged: %v", row, err)
		}
		if string(counted) != string(commitNumber(seq)) {
			return v.fault("the counts were stored at commit %x, and the last commit is %d", counted, seq)
		}
		count, err := v.walkPostings(code, key, 0, ctx.Err)
		if err == nil && count != n {
			err = v.fault("the stored count of %s with key %q is %d, and %d documents have it", v.names[code], string(key), n, count)
		}
		return err
	})
}

// log checks positions and hashes.
func (v *verifier) log(ctx context.Context) error {
	var last store.Record
	it, err := v.rows.NewIter(&pebble.IterOptions{LowerBound: []byte{rowLog}, UpperBound: []byte{rowLog + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		rec, err := parseLog(it)
		if err != nil {
			return err
		}
		if rec.Pos != last.Pos+1 || rec.Hash != store.ChainHash(last.Hash, rec.Pos, rec.Payload) {
			return v.fault("log record %d does not follow record %d", rec.Pos, last.Pos)
		}
		last = rec
	}
	return it.Error()
}
