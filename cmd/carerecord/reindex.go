package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"carerecord/consent/audit"
	"carerecord/consent/reindex"
)

// reindexCmd keys every document anew.
type reindexCmd struct {
	siteFlags
	Status    bool  `help:"Say how far the last one has come, and change nothing."`
	WordIndex *bool `help:"Keep an index of all words, for _text and _content, or no longer. Default: as the store is keyed. Not beside a running server." negatable:""`
	Rate      int   `help:"Documents a second at most. Default: as fast as it goes on a store at rest, 2000 beside a running server. -1 is as fast as it goes."`
}

// besideServer is how many documents a second are keyed anew beside requests,
// where nothing else is said.
const besideServer = 2000

// errReindexing says that a walk is under way in this process.
var errReindexing = errors.New("a reindex is under way")

// Run keys the documents of a store, through the server that holds it if one
// does.
func (c *reindexCmd) Run(ctx context.Context) error {
	s, err := c.settings()
	if err != nil {
		return err
	}
	if client := socketClient(s); client != nil {
		if c.WordIndex != nil {
			return errors.New("a server is running: words get keys, or lose them, while none does")
		}
		method, path := http.MethodPost, "/reindex?rate="+strconv.Itoa(c.Rate)
		if c.Status {
			method, path = http.MethodGet, "/reindex"
		}
		out, err := ask(ctx, client, method, path, nil)
		if err != nil {
			return err
		}
		var st indexStatus
		if err := json.Unmarshal(out, &st); err != nil {
			return fmt.Errorf("read the server's answer: %w", err)
		}
		return st.tell(os.Stdout)
	}
	s.anyKeying, s.words = true, c.WordIndex
	r, err := openRecord(ctx, s)
	if err != nil {
		return err
	}
	defer r.close()
	o := audit.Operation{Name: "reindex", Who: operatorName()}
	if c.Status {
		o.Name, o.Status = "reindex-status", http.StatusOK
	}
	if err := r.note(ctx, o); err != nil {
		return err
	}
	if c.Status {
		st, err := r.indexStatus(ctx)
		if err != nil {
			return err
		}
		return st.tell(os.Stdout)
	}
	if _, err = r.reindex(ctx, c.Rate); err != nil {
		err = errors.Join(err, r.note(ctx, failed(o, err)))
	}
	st, untold := r.indexStatus(ctx)
	if untold == nil {
		untold = st.tell(os.Stdout)
	}
	return cmp.Or(err, untold)
}

// reindex keys every document anew, at most rate a second where rate is
// greater than 0.
func (r *record) reindex(ctx context.Context, rate int) (reindex.Walk, error) {
	if !r.reindexing.TryLock() {
		return reindex.Walk{}, errReindexing
	}
	defer r.reindexing.Unlock()
	if err := r.engine.Recount(ctx); err != nil {
		return reindex.Walk{}, err
	}
	return reindex.New(r.guard, r.engine, time.Now).All(ctx, r.throttle(rate))
}

// throttle lets a walk read at most rate documents a second, where rate is greater
// than 0, as long as the record is held.
func (r *record) throttle(rate int) reindex.Pause {
	var walk, began time.Time
	read := 0
	return func(ctx context.Context, at reindex.Walk) error {
		if !r.held.sure() {
			return errLost
		}
		if !walk.Equal(at.Began) || began.IsZero() { // what earlier walks read does not count
			walk, began, read = at.Began, time.Now(), at.Read
		}
		if rate <= 0 {
			return ctx.Err()
		}
		due := began.Add(time.Duration(at.Read-read) * time.Second / time.Duration(rate))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(due)):
			return nil
		}
	}
}

func (r *record) answerReindex(w http.ResponseWriter, q *http.Request) {
	rate, err := strconv.Atoi(q.URL.Query().Get("rate"))
	if err != nil {
		http.Error(w, "rate is a number", http.StatusBadRequest)
		return
	}
	if rate == 0 {
		rate = besideServer
	}
	if _, err := r.reindex(q.Context(), rate); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	r.answerStatus(q.Context(), w)
}
