package pebble

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// change is one write of a commit.
type change struct {
	write     *store.Write
	code      typeCode
	id        rowID       // its row ID after the commit
	row       []byte      // the record to be written, without its Seq; set late for a rekey
	before    newestEntry // the newest version before the commit
	oldRecord []byte      // its record, if it is needed
	oldKeys   []store.Key // its keys, if it is live
	oldBody   []byte      // its body, if the document moves
	// deferBody: putNew writes the body of a create, and create does not.
	deferBody bool
}

// liveAfter reports whether the document is live after the change.
func (c *change) liveAfter() bool {
	if c.write.Rekey {
		return c.before.live
	}
	return !c.write.Doc.Deleted()
}

// after is the newest version after the change.
func (c *change) after() newestEntry {
	after := newestEntry{version: c.write.Doc.Version, live: c.liveAfter()}
	if after.live {
		after.id = c.id
	}
	if c.write.Rekey {
		after.keyRevision = c.before.keyRevision + 1
	}
	return after
}

// inPlace reports whether the document is live before and after the change, with the same row
// ID.
func (c *change) inPlace() bool { return c.before.live && c.liveAfter() && c.before.id == c.id }

// create writes the rows of a first version that do not need its Seq.
func (c *change) create(out *pebble.Batch, posted *postingRows) {
	d := &c.write.Doc
	posted.rows = slices.Grow(posted.rows, 48*len(d.Keys))
	posted.ends = slices.Grow(posted.ends, len(d.Keys))
	for _, k := range d.Keys {
		if code, ok := postingCode(c.code, k); ok {
			posted.add(code, k, c.id)
		}
	}
	set(out, allRow(c.code, c.id), nil)
	if !c.deferBody {
		set(out, docRow(rowBody, c.id), d.Body)
	}
	set(out, newestRow(nil, c.code, d.Ref.ID), newestEntry{version: d.Version, live: true, id: c.id}.encode())
}

// postingCode returns the type code under which a key of a document has a posting. ok is false
// if it has none.
func postingCode(code typeCode, k store.Key) (_ typeCode, ok bool) {
	if k.CrossType() {
		return crossType, true
	}
	return code, k.Driving()
}

// postingRows are rows collected in one buffer and written in order: applying the rows of a
// bundle takes a quarter less time when they are sorted, and that time is spent under the mutex.
type postingRows struct {
	rows []byte
	ends []int
}

func (p *postingRows) add(code typeCode, k store.Key, id rowID) {
	p.rows = postingRow(p.rows, code, k, id)
	p.ends = append(p.ends, len(p.rows))
}

func (p *postingRows) putSorted(out *pebble.Batch) {
	rows := make([][]byte, len(p.ends))
	start := 0
	for i, end := range p.ends {
		rows[i], start = p.rows[start:end], end
	}
	slices.SortFunc(rows, bytes.Compare)
	for _, row := range rows {
		set(out, row, nil)
	}
}

// set and del write to a batch. That fails only for a batch that was applied.
func set(out *pebble.Batch, row, value []byte) {
	if err := out.Set(row, value, nil); err != nil {
		panic("pebble: " + err.Error())
	}
}

func del(out *pebble.Batch, row []byte) {
	if err := out.Delete(row, nil); err != nil {
		panic("pebble: " + err.Error())
	}
}

// removeOld reads the newest version, stores it as superseded if the change makes a new one, and
// deletes the rows that the document loses.
func (c *change) removeOld(now *snap, out *pebble.Batch) (err error) {
	if c.before.version == 0 {
		return nil
	}
	ref := c.write.Doc.Ref
	if !c.before.live {
		if c.write.Rekey {
			if c.oldRecord, err = get(now.rows, versionRow(rowVersion, c.code, ref.ID, c.before.version)); err == nil {
				err = c.rekeyed(c.oldRecord, rowIDSize)
			}
		}
		return err
	}
	if c.oldRecord, err = get(now.rows, docRow(rowDoc, c.before.id)); err != nil {
		return err
	}
	rec, err := parseRecord(c.oldRecord)
	if err != nil {
		return err
	}
	if c.oldKeys, err = decodeKeys(rec.keys, nil); err != nil {
		return err
	}
	if !c.write.Rekey || !c.inPlace() {
		if c.oldBody, err = get(now.rows, docRow(rowBody, c.before.id)); err != nil {
			return err
		}
	}
	if c.write.Rekey {
		err = c.rekeyed(c.oldRecord, 0)
	} else {
		set(out, versionRow(rowVersion, c.code, ref.ID, c.before.version), append(c.before.id[:len(c.before.id):len(c.before.id)], c.oldRecord...))
		set(out, versionRow(rowOldBody, c.code, ref.ID, c.before.version), c.oldBody)
	}
	c.deletePostings(out)
	return err
}

// deletePostings deletes the postings that the document loses, and its other rows if it moves or
// is deleted.
func (c *change) deletePostings(out *pebble.Batch) {
	kept := c.write.Doc.Keys
	if !c.inPlace() {
		kept = nil
		del(out, allRow(c.code, c.before.id))
		del(out, docRow(rowDoc, c.before.id))
		del(out, docRow(rowBody, c.before.id))
	}
	for _, k := range c.oldKeys {
		if code, ok := postingCode(c.code, k); ok && !containsKey(kept, k) {
			del(out, postingRow(nil, code, k, c.before.id))
		}
	}
}

func containsKey(keys []store.Key, k store.Key) bool { return store.Match(store.Eq{Key: k}, keys) }

// rekeyed makes the record of a rekey from the stored one.
func (c *change) rekeyed(old []byte, skip int) error {
	if len(old) < skip {
		return errDamaged
	}
	rec, err := parseRecord(old[skip:])
	if err != nil {
		return err
	}
	d := rec.doc(c.write.Doc.Ref.Type, c.write.Doc.RowID, c.write.Doc.Keys)
	d.Source, d.KeyRevision = c.write.Doc.Source, rec.keyRevision+1
	c.row = appendRecord(nil, &d, c.code)
	return nil
}

// putNew writes the rows of the new version that create has not written.
func (c *change) putNew(out *pebble.Batch, seq uint64) error {
	d := &c.write.Doc
	if !c.write.Rekey {
		setSeq(c.row, seq)
		c.putHistory(out, seq)
	}
	if !c.liveAfter() {
		set(out, versionRow(rowVersion, c.code, d.Ref.ID, d.Version), append(c.id[:len(c.id):len(c.id)], c.row...))
		set(out, newestRow(nil, c.code, d.Ref.ID), c.after().encode())
		return nil
	}
	set(out, docRow(rowDoc, c.id), c.row)
	if c.write.Expect == 0 {
		if c.deferBody {
			set(out, docRow(rowBody, c.id), d.Body)
		}
		return nil
	}
	body := d.Body
	if c.write.Rekey {
		body = c.oldBody
	}
	if !c.write.Rekey || !c.inPlace() {
		set(out, docRow(rowBody, c.id), body)
	}
	if !c.inPlace() {
		set(out, allRow(c.code, c.id), nil)
	}
	for _, k := range d.Keys {
		if code, ok := postingCode(c.code, k); ok && !(c.inPlace() && containsKey(c.oldKeys, k)) {
			set(out, postingRow(nil, code, k, c.id), nil)
		}
	}
	set(out, newestRow(nil, c.code, d.Ref.ID), c.after().encode())
	return nil
}

// putHistory writes the rows of the new version for history and change feed.
func (c *change) putHistory(out *pebble.Batch, seq uint64) {
	d := &c.write.Doc
	var room [binary.MaxVarintLen64]byte
	version := binary.AppendUvarint(room[:0], d.Version)
	set(out, historyRow(c.code, d.Updated.UnixMilli(), seq, d.Ref.ID), version)
	set(out, changeRow(seq, c.code, d.Ref.ID), version)
}
