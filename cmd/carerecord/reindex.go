package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"carerecord/consent"
)

// reindexCmd keys every document anew.
type reindexCmd struct {
	siteFlags
	Status bool `help:"Say how far the last one has come, and change nothing."`
	Rate   int  `help:"Documents a second at most. Default: as fast as it goes on a store at rest, 2000 beside a running server. -1 is as fast as it goes."`
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
		method, path := http.MethodPost, "/reindex?rate="+strconv.Itoa(c.Rate)
		if c.Status {
			method, path = http.MethodGet, "/reindex"
		}
		out, err := ask(ctx, client, method, path, nil)
		if err != nil {
			return err
		}
		var r consent.Reindexing
		if err := json.Unmarshal(out, &r); err != nil {
			return fmt.Errorf("read the server's answer: %w", err)
		}
		return tellReindex(r)
	}
	s.anyKeying = true
	r, err := openRecord(ctx, s)
	if err != nil {
		return err
	}
	defer r.close()
	if c.Status {
		at, _, err := consent.ReindexStatus(ctx, r.engine)
		if err != nil {
			return err
		}
		return tellReindex(at)
	}
	at, err := r.reindex(ctx, c.Rate)
	if told := tellReindex(at); err == nil {
		err = told
	}
	return err
}

func tellReindex(r consent.Reindexing) error {
	if r.Began.IsZero() {
		fmt.Println("this store was never keyed anew")
		return nil
	}
	state := "done"
	if !r.Done {
		state = fmt.Sprintf("at %s, round %d", r.Type, r.Round)
	}
	_, err := fmt.Printf("keying %s, begun %s, resumed %d times, %s: %d documents read, of which %d stood under other keys\n",
		r.Keying, r.Began.Format(time.RFC3339), r.Resumed, state, r.Read, r.Rekeyed)
	return err
}

// reindex keys every document anew, at most rate a second where rate is
// greater than 0.
func (r *record) reindex(ctx context.Context, rate int) (consent.Reindexing, error) {
	if !r.reindexing.TryLock() {
		return consent.Reindexing{}, errReindexing
	}
	defer r.reindexing.Unlock()
	began, read := time.Now(), -1
	return r.guard.Reindex(ctx, r.engine, func(ctx context.Context, at consent.Reindexing) error {
		if !r.held.sure() {
			return errLost
		}
		if read < 0 { // what earlier walks read does not count
			read = at.Read
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
	})
}

// reindexRoutes are the operator's requests for it.
func (r *record) reindexRoutes(mux *http.ServeMux) {
	answer := func(w http.ResponseWriter, at consent.Reindexing, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(at)
	}
	mux.HandleFunc("GET /reindex", func(w http.ResponseWriter, q *http.Request) {
		at, _, err := consent.ReindexStatus(q.Context(), r.engine)
		answer(w, at, err)
	})
	mux.HandleFunc("POST /reindex", func(w http.ResponseWriter, q *http.Request) {
		rate, err := strconv.Atoi(q.URL.Query().Get("rate"))
		if err != nil {
			http.Error(w, "rate is a number", http.StatusBadRequest)
			return
		}
		if rate == 0 {
			rate = besideServer
		}
		at, err := r.reindex(q.Context(), rate)
		answer(w, at, err)
	})
}
