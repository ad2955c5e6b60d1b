package smart

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"carerecord/interop/smart/grants"
)

const (
	minute       = time.Minute
	twelveHours  = 12 * time.Hour
	year         = 365 * 24 * time.Hour
	codeAndToken = 16 * time.Minute // life of a grant without access beyond its first token
)

// walk is one random walk: honest and hostile steps in two browsers, of clients and of operators, compared with a model.
type walk struct {
	*world
	*rand.Rand
	*model
	seats []*seat
	forms []*shown // the last ones that any browser showed
	log   []string
	own   map[string]answer // token responses of the EHR, by scope; forgotten by what may end tokens
}

// ehr returns a token response of the EHR for a scope. It asks for a new one where the last may have ended: signatures take much of
// the time of a walk.
func (w *walk) ehr(scope string) answer {
	w.Helper()
	if kept, ok := w.own[scope]; ok && !w.safe {
		return kept
	}
	a := w.token("ehr", url.Values{"grant_type": {"client_credentials"}, "scope": {scope}})
	if w.own == nil {
		w.own = map[string]answer{}
	}
	if a.code == 200 {
		w.own[scope] = a
	}
	return a
}

func (w *walk) note(format string, args ...any) {
	w.log[len(w.log)-1] += " " + fmt.Sprintf(format, args...)
}

// one returns one of some values.
func one[T any](w *walk, list []T) T { return list[w.IntN(len(list))] }

// step is one thing that a person, a client, an operator or an attacker does. It does nothing where it makes no sense.
type step struct {
	name   string
	weight int
	do     func(*walk)
}

// endsTokens reports whether a step may end the tokens of the EHR.
func (s step) endsTokens() bool {
	return slices.Contains([]string{"suspend", "resume", "end all", "clock"}, s.name)
}

func steps() []step {
	return []step{
		{"open", 14, (*walk).open}, {"open wrongly", 4, (*walk).openWrongly}, {"answer", 40, (*walk).answer}, {"old form", 8, (*walk).oldForm}, {"return", 8, (*walk).returnTo},
		{"sign out", 2, (*walk).signOut}, {"stop", 2, (*walk).stop},
		{"exchange", 20, (*walk).exchangeCode}, {"exchange at once", 2, (*walk).exchangeAtOnce}, {"refresh", 14, (*walk).refreshToken}, {"revoke", 3, (*walk).revoke}, {"introspect", 3, (*walk).introspect},
		{"announce", 5, (*walk).announceLaunch}, {"backend", 1, (*walk).credentials},
		{"suspend", 1, (*walk).suspend}, {"resume", 2, (*walk).resume}, {"end all", 1, (*walk).endAll}, {"approve", 2, (*walk).approveApp}, {"clock", 3, (*walk).clock},
	}
}

// run makes some steps and checks after each.
func (w *walk) run(n int) {
	w.Helper()
	for i := range 2 {
		w.seats = append(w.seats, &seat{browser: w.browser(), name: string("AB"[i]), sessions: map[string]*modelSession{}})
	}
	all, total := steps(), 0
	for _, s := range all {
		total += s.weight
	}
	first := []string{"announce", "open", "answer", "answer", "answer", "answer", "exchange", "refresh"} // so that most walks have tokens
	for n := range n {
		if !w.safe {
			w.now = w.now.Add(time.Second)
		}
		at := w.IntN(total)
		i := slices.IndexFunc(all, func(s step) bool { at -= s.weight; return at < 0 })
		if n < len(first) {
			i = slices.IndexFunc(all, func(s step) bool { return s.name == first[n] })
		}
		w.log = append(w.log, all[i].name)
		all[i].do(w)
		if all[i].endsTokens() {
			w.own = nil
		}
		if w.check(w.IntN(8) == 0); w.Failed() {
			return
		}
	}
	if w.check(true); !w.Failed() {
		w.checkLists()
	}
}

// walks are how many walks a test makes, and of what.
type walks struct {
	engine                   string
	n, whole                 int // the second with CARERECORD_WALKS=whole
	first                    uint64
	perWorld, steps, walkers int
	open                     func(t *testing.T, clock func() time.Time) engine
}

// seeds returns the first seed and the number of walks: CARERECORD_WALK_SEED repeats one, CARERECORD_SOAK multiplies,
// CARERECORD_WALKS=whole takes the number of a whole run, and with the race detector there are fewer.
func (c walks) seeds(t *testing.T) (first uint64, n int) {
	number := func(name string) (uint64, bool) {
		text := os.Getenv(name)
		v, err := strconv.ParseUint(text, 10, 64)
		if text != "" && err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return v, text != ""
	}
	if seed, set := number("CARERECORD_WALK_SEED"); set {
		return seed, 1
	}
	if n = c.n; os.Getenv("CARERECORD_WALKS") == "whole" && os.Getenv("CARERECORD_SOAK") == "" {
		n = c.whole
	}
	if raced {
		n = max(n/20, 2) // each takes about six times as long
	}
	if times, set := number("CARERECORD_SOAK"); set {
		n *= int(times)
	}
	return c.first, n
}

// tally counts what walks have done.
type tally struct{ transactions, grants, access, refresh atomic.Int64 }

// run makes the walks, on each processor a part of them in worlds of its own.
func (c walks) run(t *testing.T) {
	first, n := c.seeds(t)
	began := time.Now()
	var total tally
	var made atomic.Int64
	parts := min(runtime.GOMAXPROCS(0), n)
	t.Run("parts", func(t *testing.T) {
		for part := range parts {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				c.part(t, first+uint64(part*n/parts), (part+1)*n/parts-part*n/parts, &total, &made)
			})
		}
	})
	t.Logf("%d walks of %d steps on %s in %s: %d transactions, %d grants, %d access tokens, %d refresh tokens", made.Load(), c.steps, c.engine, time.Since(began).Round(time.Millisecond),
		total.transactions.Load(), total.grants.Load(), total.access.Load(), total.refresh.Load())
}

// part makes n walks, one after the other.
func (c walks) part(t *testing.T, first uint64, n int, total *tally, made *atomic.Int64) {
	t.Helper()
	var w *world
	for i := range n {
		if i%c.perWorld == 0 {
			w = openWorld(t, func(clock func() time.Time) engine { return c.open(t, clock) }, c.walkers)
		}
		c.one(t, w, first+uint64(i), total)
		if made.Add(1); t.Failed() {
			return
		}
		w.tidy()
	}
}

// one runs the walk of a seed. Several walkers of it run at once, each at another server.
func (c walks) one(t *testing.T, w *world, seed uint64, total *tally) {
	t.Helper()
	if c.walkers == 1 {
		c.walk(t, w, seed, 0, total)
		return
	}
	t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
		for i := range c.walkers {
			t.Run(fmt.Sprint("walker ", i), func(t *testing.T) {
				t.Parallel()
				c.walk(t, w, seed, i, total)
			})
		}
	})
}

func (c walks) walk(t *testing.T, shared *world, seed uint64, number int, total *tally) {
	t.Helper()
	own := shared
	if c.walkers > 1 {
		own = &world{TB: t, engine: shared.engine, now: shared.now, servers: shared.servers[number : number+1], smart: shared.smart, policy: shared.policy, key: shared.key,
			ids: shared.ids, secrets: shared.secrets, requests: int(seed)<<24 + number<<23}
	}
	w := &walk{world: own, Rand: rand.New(rand.NewPCG(seed, uint64(number))), model: newModel(c.walkers > 1)}
	signer, err := own.smart[0].Clients.Get(t.Context(), own.ids["signer"])
	own.must(err)
	for _, a := range signer.ByOrganisations {
		w.approvals[a.Organisation] = a.Ends
	}
	defer func() {
		if t.Failed() {
			t.Logf("CARERECORD_WALK_SEED=%d repeats this walk on a %s store; its steps:\n%s", seed, c.engine, strings.Join(w.log, "\n"))
		}
	}()
	w.run(c.steps)
	total.transactions.Add(int64(len(w.transactions)))
	total.grants.Add(int64(len(w.grants)))
	total.access.Add(int64(len(w.access)))
	total.refresh.Add(int64(len(w.refresh)))
}

// tidy removes what a walk has left, so that walks take equally long, and makes every client active.
func (w *world) tidy() {
	w.Helper()
	w.now = w.now.Add(time.Second)
	w.must(w.smart[0].Grants.EndAll(w.Context(), "test", grants.Of{}))
	for v, err := range w.engine.Values(w.Context(), "") {
		w.must(err)
		if strings.HasPrefix(v.Key, "smart/client/") {
			continue
		}
		_, _ = w.engine.Take(w.Context(), v.Key) // it may have expired
	}
	for _, id := range w.ids {
		c, err := w.smart[0].Clients.Get(w.Context(), id)
		w.must(err)
		if c.Status == "suspended" {
			_, err = w.smart[0].Clients.Resume(w.Context(), "test", id)
			w.must(err)
		}
	}
	w.log.Reset()
	w.now = w.now.Add(time.Second)
}
