package pebble

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// change is one write on its way through a commit.
type change struct {
	write *store.Write
	code  typeCode
	id    docID       // where it will stand
	row   []byte      // the record to be written, without its Seq; of a rekey made late
	was   standing    // what stands now
	old   []byte      // the record that stands, where it matters
	keys  []store.Key // and its keys, where it is alive
	body  []byte      // the body that stands, where it moves
	// bodyLate leaves the body of a create to come.
	bodyLate bool
}

// lives reports whether the document is alive after the change.
func (c *change) lives() bool {
	if c.write.Rekey {
		return c.was.live
	}
	return !c.write.Doc.Deleted()
}

// after is what stands after the change.
func (c *change) after() standing {
	after := standing{version: c.write.Doc.Version, live: c.lives()}
	if after.live {
		after.id = c.id
	}
	if c.write.Rekey {
		after.keying = c.was.keying + 1
	}
	return after
}

// stays reports whether the document is alive before and after at one docid.
func (c *change) stays() bool { return c.was.live && c.lives() && c.was.id == c.id }

// create puts the rows of a first version that need no Seq.
func (c *change) create(out *pebble.Batch, posted *postings) {
	d := &c.write.Doc
	posted.rows = slices.Grow(posted.rows, 48*len(d.Keys))
	posted.ends = slices.Grow(posted.ends, len(d.Keys))
	for _, k := range d.Keys {
		if code, ok := postedUnder(c.code, k); ok {
			posted.add(code, k, c.id)
		}
	}
	set(out, allRow(c.code, c.id), nil)
	if !c.bodyLate {
		set(out, docRow(rowBody, c.id), d.Body)
	}
	set(out, newestRow(nil, c.code, d.Ref.ID), standing{version: d.Version, live: true, id: c.id}.encode())
}

// postedUnder returns the type under which a key of a document is posted, if it is.
func postedUnder(code typeCode, k store.Key) (typeCode, bool) {
	if k.CrossType() {
		return common, true
	}
	return code, k.Driving()
}

// postings are rows collected in one piece of memory, to be put in their order:
// applying the rows of a bundle takes a quarter less time when they are sorted,
// and that time is spent under the mutex.
type postings struct {
	rows []byte
	ends []int
}

func (p *postings) add(code typeCode, k store.Key, id docID) {
	p.rows = postingRow(p.rows, code, k, id)
	p.ends = append(p.ends, len(p.rows))
}

func (p *postings) putSorted(out *pebble.Batch) {
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

// set and del put into a batch; that fails only for a batch that was applied.
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

// leave reads what stands, keeps it as a version if the change supersedes it,
// and takes away the rows that the document loses.
func (c *change) leave(now *snap, out *pebble.Batch) (err error) {
	if c.was.version == 0 {
		return nil
	}
	ref := c.write.Doc.Ref
	if !c.was.live {
		if c.write.Rekey {
			if c.old, err = get(now.rows, versionRow(rowVersion, c.code, ref.ID, c.was.version)); err == nil {
				err = c.rekeyed(c.old, docIDSize)
			}
		}
		return err
	}
	if c.old, err = get(now.rows, docRow(rowDoc, c.was.id)); err != nil {
		return err
	}
	rec, err := parseRecord(c.old)
	if err != nil {
		return err
	}
	if c.keys, err = decodeKeys(rec.keys, nil); err != nil {
		return err
	}
	if !c.write.Rekey || !c.stays() {
		if c.body, err = get(now.rows, docRow(rowBody, c.was.id)); err != nil {
			return err
		}
	}
	if c.write.Rekey {
		err = c.rekeyed(c.old, 0)
	} else {
		set(out, versionRow(rowVersion, c.code, ref.ID, c.was.version), append(c.was.id[:len(c.was.id):len(c.was.id)], c.old...))
		set(out, versionRow(rowOldBody, c.code, ref.ID, c.was.version), c.body)
	}
	c.unpost(out)
	return err
}

// unpost takes away the postings that the document loses, and its other rows
// where it moves or dies.
func (c *change) unpost(out *pebble.Batch) {
	kept := c.write.Doc.Keys
	if !c.stays() {
		kept = nil
		del(out, allRow(c.code, c.was.id))
		del(out, docRow(rowDoc, c.was.id))
		del(out, docRow(rowBody, c.was.id))
	}
	for _, k := range c.keys {
		if code, ok := postedUnder(c.code, k); ok && !has(kept, k) {
			del(out, postingRow(nil, code, k, c.was.id))
		}
	}
}

func has(keys []store.Key, k store.Key) bool { return store.Match(store.Eq{Key: k}, keys) }

// rekeyed makes the record of a rekey from the one that stands.
func (c *change) rekeyed(old []byte, skip int) error {
	if len(old) < skip {
		return errDamaged
	}
	rec, err := parseRecord(old[skip:])
	if err != nil {
		return err
	}
	d := rec.doc(c.write.Doc.Ref.Type, c.write.Doc.RowID, c.write.Doc.Keys)
	d.Source, d.KeyRevision = c.write.Doc.Source, rec.keying+1
	c.row = appendRecord(nil, &d, c.code)
	return nil
}

// come puts the rows of the new state that create has not put.
func (c *change) come(out *pebble.Batch, seq uint64) error {
	d := &c.write.Doc
	if !c.write.Rekey {
		setSeq(c.row, seq)
		c.recordIn(out, seq)
	}
	if !c.lives() {
		set(out, versionRow(rowVersion, c.code, d.Ref.ID, d.Version), append(c.id[:len(c.id):len(c.id)], c.row...))
		set(out, newestRow(nil, c.code, d.Ref.ID), c.after().encode())
		return nil
	}
	set(out, docRow(rowDoc, c.id), c.row)
	if c.write.Expect == 0 {
		if c.bodyLate {
			set(out, docRow(rowBody, c.id), d.Body)
		}
		return nil
	}
	body := d.Body
	if c.write.Rekey {
		body = c.body
	}
	if !c.write.Rekey || !c.stays() {
		set(out, docRow(rowBody, c.id), body)
	}
	if !c.stays() {
		set(out, allRow(c.code, c.id), nil)
	}
	for _, k := range d.Keys {
		if code, ok := postedUnder(c.code, k); ok && !(c.stays() && has(c.keys, k)) {
			set(out, postingRow(nil, code, k, c.id), nil)
		}
	}
	set(out, newestRow(nil, c.code, d.Ref.ID), c.after().encode())
	return nil
}

// recordIn puts the rows by which history and feed find the new version.
func (c *change) recordIn(out *pebble.Batch, seq uint64) {
	d := &c.write.Doc
	var room [binary.MaxVarintLen64]byte
	version := binary.AppendUvarint(room[:0], d.Version)
	set(out, historyRow(c.code, d.Updated.UnixMilli(), seq, d.Ref.ID), version)
	set(out, changeRow(seq, c.code, d.Ref.ID), version)
}
