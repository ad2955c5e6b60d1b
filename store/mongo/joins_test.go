package mongo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"carerecord/store"
)

// commandLog records the filters of finds and the first stages of aggregates of res.
type commandLog struct {
	mu       sync.Mutex
	commands []bson.Raw
}

func (h *commandLog) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if collection, _ := e.Command.Lookup(e.CommandName).StringValueOK(); collection == "res" {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.commands = append(h.commands, slices.Clone(e.Command))
		}
	}}
}

// take returns the commands since the last call.
func (h *commandLog) take() []bson.Raw {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.commands
	h.commands = nil
	return out
}

// shapeOf returns the kind of a command and its numbers of postings and partitions. It is an
// error if k is not named exactly once, or if K is not hinted.
func shapeOf(command bson.Raw) (what string, err error) {
	filter, found := command.Lookup("filter").DocumentOK()
	if !found {
		filter = command.Lookup("pipeline", "0", "$match").Document()
	}
	if _, byID := filter.Lookup("_id").DocumentOK(); byID {
		return "bodies", nil
	}
	if hint := command.Lookup("hint").StringValue(); hint != byPosting {
		return "", fmt.Errorf("hint %q", hint)
	}
	elements, err := filter.Elements()
	if err != nil {
		return "", err
	}
	leaves, postings, places := 0, 1, 0
	for _, e := range elements {
		switch in, _ := e.Value().DocumentOK(); e.Key() {
		case "k":
			leaves++
			if list, ok := in.Lookup("$in").ArrayOK(); ok {
				values, _ := list.Values()
				postings = len(values)
			}
		case "p":
			if list, ok := in.Lookup("$in").ArrayOK(); ok {
				values, _ := list.Values()
				places = len(values)
			}
		case "f", "o":
		default:
			return "", fmt.Errorf("%s is asked", e.Key())
		}
	}
	if leaves != 1 {
		return "", fmt.Errorf("%d leaves name k", leaves)
	}
	kind := "count"
	if found {
		kind = "find"
	}
	order := `{"p": {"$numberInt":"1"},"o": {"$numberInt":"1"}}`
	if _, one := filter.Lookup("p").AsInt64OK(); one {
		order = `{"o": {"$numberInt":"1"}}`
	}
	if sort, ok := command.Lookup("sort").DocumentOK(); ok && sort.String() != order {
		return "", fmt.Errorf("sort %s", sort)
	}
	return fmt.Sprintf("%s k %d p %d", kind, postings, places), nil
}

// TestJoinsInChunks: the targets of a hop, the rows that refer to some rows, and the rows of the
// partitions of some patients are read by one command for many, which names k once; no command
// names more than a chunk.
func TestJoinsInChunks(t *testing.T) {
	h := &commandLog{}
	c := freshConfig(t, nil)
	c.Monitor = h.monitor()
	db := openWatched(t, c)
	db.limits.postings, db.limits.fetch = 50, 40
	var docs []store.Doc
	for i := range 120 {
		d := document(fmt.Sprintf("%03d", i), 1)
		d.RowID.Partition = store.Partition(i / 2)
		docs = append(docs, d)
	}
	if _, err := db.Commit(t.Context(), write(docs...)); err != nil {
		t.Fatal(err)
	}
	ids := func(n int) store.Or {
		var any store.Or
		for i := range n {
			any = append(any, store.Eq{Key: store.Key(fmt.Sprintf("id%03d", i))})
		}
		return any
	}
	places := func(n int) []store.Partition {
		var out []store.Partition
		for i := range n {
			out = append(out, store.Partition(i))
		}
		return out
	}
	after := docs[10].RowID
	for _, c := range []struct {
		name string
		q    store.Query
		rows int
		want []string
	}{
		{"a few ids are one command, and their count another", store.Query{Where: ids(10), KeysOnly: true}, 10, []string{"count k 10 p 0", "find k 10 p 0"}},
		{"the count is remembered", store.Query{Where: ids(10), KeysOnly: true}, 10, []string{"find k 10 p 0"}},
		{"two are a stream each", store.Query{Where: ids(2), KeysOnly: true}, 2, []string{"find k 1 p 0", "find k 1 p 0"}},
		{"a hundred are chunks", store.Query{Where: ids(100), KeysOnly: true}, 100, []string{"find k 50 p 0", "find k 50 p 0"}},
		{"bodies are fetched in chunks", store.Query{Where: ids(45)}, 45, []string{"find k 45 p 0", "bodies", "bodies"}},
		{"rows in places", store.Query{Where: store.Eq{Key: "a"}, Partitions: places(30), KeysOnly: true}, 60, []string{"find k 1 p 30"}},
		{"rows in places, from the middle of one", store.Query{Where: store.Eq{Key: "a"}, Partitions: places(30), After: &after, KeysOnly: true}, 49, []string{"find k 1 p 0", "find k 1 p 24"}},
		{"rows in many places", store.Query{Where: store.And{}, Partitions: places(60), KeysOnly: true}, 120, []string{"find k 1 p 50", "find k 1 p 10"}},
		{"a range in places is not collected", store.Query{Where: store.WithPrefix("id"), Partitions: places(30), KeysOnly: true}, 60, []string{"find k 1 p 30"}},
		{"a set is asked of what is found", store.Query{Where: store.And{store.Eq{Key: "a"}, store.In{Prefix: "id", Set: everyone{}}}, Partitions: places(3), KeysOnly: true}, 6, []string{"find k 1 p 3"}},
	} {
		h.take()
		rows := 0
		c.q.Type = "Patient"
		err := db.Read(t.Context(), func(s store.Snapshot) error {
			for _, err := range s.Scan(t.Context(), c.q) {
				if err != nil {
					return err
				}
				rows++
			}
			return nil
		})
		if err != nil || rows != c.rows {
			t.Errorf("%s: got %d rows, %v, want %d", c.name, rows, err, c.rows)
		}
		var got []string
		for _, command := range h.take() {
			what, err := shapeOf(command)
			if err != nil {
				t.Errorf("%s: %v: %s", c.name, err, command)
			}
			got = append(got, what)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: the server heard %q, want %q", c.name, got, c.want)
		}
	}
}

// everyone is a set with every name.
type everyone struct{}

func (everyone) Has(string) bool { return true }
