package rest_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/conformance/servertest"
	"carerecord/consent"
	"carerecord/fhir/index"
	"carerecord/fhir/rest"
	"carerecord/store"
	"carerecord/store/mongo"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/pebble"
	"carerecord/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Run(m)) }

// open serves an empty record to somebody who sees and writes everything.
func open(t *testing.T) http.Handler {
	return handlerWith(t, storetest.NewReference(time.Now), func(*rest.Config) {})
}

// handlerWith is open over a store, with other settings.
func handlerWith(t testing.TB, db store.Store, change func(*rest.Config)) http.Handler {
	return guarded(t, db, func(*consent.Config) {}, change)
}

// guarded is handlerWith, with other settings of the guard too.
func guarded(t testing.TB, db store.Store, guards func(*consent.Config), change func(*rest.Config)) http.Handler {
	t.Helper()
	return indexed(t, db, index.Config{Base: site + "/fhir"}, guards, change)
}

// indexed is guarded, with other keys too.
func indexed(t testing.TB, db store.Store, keys index.Config, guards func(*consent.Config), change func(*rest.Config)) http.Handler {
	t.Helper()
	x, err := index.New(keys)
	if err != nil {
		t.Fatal(err)
	}
	return servertest.Open(t, servertest.Config{Store: db, Index: x, Guard: guards, REST: func(c *rest.Config) {
		c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
		change(c)
	}}).Handler()
}

// The scripts run on every engine: what drives a search, and what a commit meets,
// differs.

// TestSection42 runs the script of the forty cases.
func TestSection42(t *testing.T) { onEveryStore(t, "testdata/section42.txt", index.Config{}) }

// TestProtocol and TestSearch run the scripts that go by requirement numbers.
func TestProtocol(t *testing.T) { onEveryStore(t, "testdata/protocol.txt", index.Config{}) }
func TestSearch(t *testing.T)   { onEveryStore(t, "testdata/search.txt", index.Config{}) }

// TestOperations runs the script of operations that answer with many resources.
func TestOperations(t *testing.T) { onEveryStore(t, "testdata/operations.txt", index.Config{}) }

// TestTerms, TestValues and TestContained run the scripts of terminology, of
// composites, units and places, and of chains into contained resources.
func TestTerms(t *testing.T)     { onEveryStore(t, "testdata/terms.txt", index.Config{}) }
func TestValues(t *testing.T)    { onEveryStore(t, "testdata/values.txt", index.Config{}) }
func TestContained(t *testing.T) { onEveryStore(t, "testdata/contained.txt", index.Config{}) }

// TestWords runs the script of full text.
func TestWords(t *testing.T) { onEveryStore(t, "testdata/words.txt", index.Config{IndexWords: true}) }

// onEveryStore runs a script on the reference store, the embedded engine and MongoDB.
func onEveryStore(t *testing.T, file string, keys index.Config) {
	keys.Base = site + "/fhir"
	onAllStores(t, func(t *testing.T, db store.Store) {
		script(t, indexed(t, db, keys, func(*consent.Config) {}, func(*rest.Config) {}), file)
	})
}

// onAllStores runs a test on the reference store and on both engines.
func onAllStores(t *testing.T, run func(*testing.T, store.Store)) {
	t.Run("reference", func(t *testing.T) { run(t, storetest.NewReference(time.Now)) })
	t.Run("pebble", func(t *testing.T) {
		db, err := pebble.Open(pebble.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		run(t, db)
	})
	t.Run("mongo", func(t *testing.T) {
		server := mongotest.Start(t)
		uri, name := server.Database(t)
		db, err := mongo.Open(context.Background(), mongo.Config{URI: uri, Database: name, NoHints: !server.Real()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		t.Log(server.Describe())
		run(t, db)
	})
}

// script runs the requests of a file and holds the answers against what stands
// behind them.
func script(t *testing.T, h http.Handler, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var request string
	var header []string
	title, n := "", 0
	for i, line := range strings.Split(string(text), "\n") {
		where := file + ":" + strconv.Itoa(i+1) + ": " + title
		switch kind, rest, _ := strings.Cut(line, " "); kind {
		case "", "#":
		case "##":
			title = rest
		case "|":
			header = append(header, rest)
		case "=":
			n++
			method, path, body := parts(request)
			holds(t, where+": "+method+" "+path, send(h, method, path, body, header...), rest)
			header = nil
		default:
			request = line
		}
	}
	if n < 40 {
		t.Errorf("%s: %d requests ran, want at least 40", file, n)
	}
}

func parts(request string) (method, path, body string) {
	method, path, _ = strings.Cut(request, " ")
	path, body, _ = strings.Cut(path, " ")
	path = strings.NewReplacer("|", "%7C", "\\", "%5C", "$", "%24").Replace(strings.TrimPrefix(path, "/"))
	if path != "" && path[0] != '?' {
		path = "/" + path
	}
	return method, path, body
}

// holds compares one answer.
func holds(t *testing.T, where string, w *httptest.ResponseRecorder, want string) {
	t.Helper()
	words := strings.Fields(want)
	body := w.Body.String()
	if strconv.Itoa(w.Code) != words[0] {
		t.Errorf("%s: got %d %.600s, want %s", where, w.Code, body, want)
		return
	}
	for _, word := range words[1:] {
		word = spaces.Replace(word)
		name, value, _ := strings.Cut(word, "=")
		ok := true
		switch {
		case strings.HasPrefix(word, "~"):
			ok = strings.Contains(body, word[1:])
		case strings.HasPrefix(word, "!~"):
			ok = !strings.Contains(body, word[2:])
		case name == "ids":
			var ids []string
			for _, id := range gjson.Get(body, `entry.#(search.mode=="match")#.resource.id`).Array() {
				ids = append(ids, id.Str)
			}
			ok = strings.Join(ids, ",") == value
		case name == "included":
			var refs []string
			for _, r := range gjson.Get(body, `entry.#(search.mode=="include")#.resource`).Array() {
				refs = append(refs, r.Get("resourceType").Str+"/"+r.Get("id").Str)
			}
			slices.Sort(refs)
			ok = strings.Join(refs, ",") == value
		case name == "total":
			ok = gjson.Get(body, "total").Raw == value
		case name == word:
			ok = gjson.Get(body, "issue.0.code").Str == word
		default:
			ok = w.Header().Get(name) == value
		}
		if !ok {
			t.Errorf("%s: %s does not hold: %v %.900s", where, word, w.Header(), body)
		}
	}
}

// TestFiftyConditionalCreates is case 9 (REST-126).
func TestFiftyConditionalCreates(t *testing.T) {
	h := open(t)
	var mu sync.Mutex
	codes, places := map[int]int{}, map[string]bool{}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			w := send(h, "POST", "/Patient", `{"resourceType":"Patient","identifier":[{"system":"s","value":"1"}]}`, "If-None-Exist: identifier=s|1")
			mu.Lock()
			defer mu.Unlock()
			codes[w.Code]++
			places[w.Header().Get("Location")] = true
		})
	}
	all.Wait()
	if codes[201] != 1 || codes[200] != 49 || len(places) != 1 {
		t.Errorf("REST-126: got %v with %d Locations, want one 201, 49 times 200 and one Location", codes, len(places))
	}
}

// spaces are how scripts write what stands between words.
var spaces = strings.NewReplacer("␣", " ", "␤", "\n")
