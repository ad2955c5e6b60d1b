package backlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"carerecord/consent/facts"
	"carerecord/store"
)

// entryPrefix begins the State key of an entry; its name follows. legacyListKey is where older programs
// held all entries in one list.
const (
	entryPrefix   = "index/backlog/"
	legacyListKey = "index/backlog"
)

// readEntries reads the entries from State. listed: some are in the list of an older program.
func readEntries(ctx context.Context, state store.State) (stale map[string]Entry, legacy bool, err error) {
	stale = map[string]Entry{}
	raw, err := state.Lookup(ctx, legacyListKey)
	if err == nil {
		var list []Entry
		legacy, err = true, json.Unmarshal(raw, &list)
		for _, s := range list {
			stale[s.Name] = s
		}
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, false, fmt.Errorf("read the backlog: %w", err)
	}
	for v, err := range state.Values(ctx, entryPrefix) {
		var s Entry
		if err == nil {
			err = json.Unmarshal(v.Value, &s)
		}
		if err != nil {
			return nil, false, fmt.Errorf("read the backlog: %w", err)
		}
		s.Name = strings.TrimPrefix(v.Key, entryPrefix)
		stale[s.Name] = s
	}
	return stale, legacy, nil
}

// Page is a page of the documents of an entry.
type Page struct {
	From, To Entry // the entry before and after the page
	Done     bool  // the entry has ended
}

// Change is the change of the backlog by a commit.
type Change struct {
	set        map[string]Entry // entries that it adds or advances
	ended      map[string]Entry // entries that it ends
	NewlyStale map[string]bool  // names that it adds and that had no entry
	migrates   bool             // it moves the list of an older program
}

// Prepare returns the change of a commit that adds some entries and rekeys pages of others.
// store.ErrConflict: another commit rekeyed the page, or added the entry again. CommitLock must be held.
func (b *Backlog) Prepare(added map[string]Entry, pages []*Page) (*Change, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	c := &Change{set: map[string]Entry{}, ended: map[string]Entry{}, NewlyStale: map[string]bool{}, migrates: b.legacyList}
	if b.legacyList {
		maps.Copy(c.set, b.entries)
	}
	for _, page := range pages {
		name := page.From.Name
		current, there := b.entries[name]
		if !there || !page.From.samePosition(current) {
			return nil, fmt.Errorf("another commit rekeys the dependents of %s: %w", facts.ForLog(name), store.ErrConflict)
		}
		if c.set[name] = page.To; page.Done {
			delete(c.set, name)
			c.ended[name] = current
		}
	}
	for name, s := range added { // from the beginning, even if it is being processed
		was, there := c.set[name]
		if _, ends := c.ended[name]; !there && !ends {
			was, there = b.entries[name]
		}
		if c.NewlyStale[name] = !there; there {
			s = s.Merge(was)
		}
		b.revisions++
		s.Revision = b.revisions
		s.Name = name
		c.set[name] = s
	}
	return c, nil
}

// StateWrites returns the change as writes to State.
func (c *Change) StateWrites() ([]store.StateWrite, error) {
	out := make([]store.StateWrite, 0, len(c.set)+len(c.ended))
	for _, name := range slices.Sorted(maps.Keys(c.set)) {
		value, err := json.Marshal(c.set[name])
		if err != nil {
			return nil, fmt.Errorf("encode the backlog: %w", err)
		}
		out = append(out, store.StateWrite{Key: entryPrefix + name, Value: value})
	}
	past := time.Unix(0, 0)
	for _, name := range slices.Sorted(maps.Keys(c.ended)) {
		if _, again := c.set[name]; !again {
			out = append(out, store.StateWrite{Key: entryPrefix + name, Expires: past})
		}
	}
	if c.migrates {
		out = append(out, store.StateWrite{Key: legacyListKey, Expires: past})
	}
	return out, nil
}
