package atonce

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carerecord/store/mongo"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/pebble"
	"carerecord/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Run(m)) }

// The rounds of a run on each engine, 200 together, and the first seed of each.
const (
	onReference, firstOnReference = 130, 1
	onPebble, firstOnPebble       = 60, 10_001
	onMongo, firstOnMongo         = 10, 20_001
)

// repeats is how often the round of CARERECORD_ATONCE_SEED runs: the order of its writers differs from run to
// run.
const repeats = 20

// rounds runs rounds one after the other.
func rounds(t *testing.T, n int, first uint64, open func(t *testing.T) storetest.Engine) {
	number := func(name string) (uint64, bool) {
		text := os.Getenv(name)
		if text == "" {
			return 0, false
		}
		v, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return v, true
	}
	seed, one := number("CARERECORD_ATONCE_SEED")
	if raced { // each takes several times as long
		n = max(2, n/6)
	}
	if one {
		n = repeats
	} else if times, set := number("CARERECORD_SOAK"); set {
		n *= int(times)
	}
	var reads, looked, writes, refused, conflicts int64
	for i := range n {
		if !one {
			seed = first + uint64(i)
		}
		w := &world{}
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			w = begin(t, fmt.Sprintf("CARERECORD_ATONCE_SEED=%d", seed), open(t))
			w.run(round{seed: seed, writes: 8})
		})
		reads, looked, writes = reads+w.reads.Load(), looked+w.looked.Load(), writes+w.writes.Load()
		refused, conflicts = refused+w.refused.Load(), conflicts+w.conflicts.Load()
		if t.Failed() {
			break
		}
	}
	t.Logf("%d rounds from seed %d: %d writes, of which %d were refused and %d begun again; %d readings of %d documents", n, first, writes, refused, conflicts, reads, looked)
}

// TestAtOnceOnTheReferenceStore, TestAtOnceOnPebble and TestAtOnceOnMongoDB: while many requesters write and
// documents are rekeyed, every acknowledged directive is in force at every instant that a reader can see;
// afterwards register, facts and index equal a rebuild (CON-1401, CON-1509, CON-1603, IDN-106, IDN-109).
func TestAtOnceOnTheReferenceStore(t *testing.T) {
	rounds(t, onReference, firstOnReference, func(*testing.T) storetest.Engine { return storetest.NewReference(nil) })
}

func TestAtOnceOnPebble(t *testing.T) {
	rounds(t, onPebble, firstOnPebble, func(t *testing.T) storetest.Engine {
		p, err := pebble.Open(pebble.Config{Dir: "record", FS: vfs.NewMem(), Cache: 8 << 20})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		return p
	})
}

func TestAtOnceOnMongoDB(t *testing.T) {
	server := mongotest.Start(t)
	rounds(t, onMongo, firstOnMongo, func(t *testing.T) storetest.Engine {
		uri, name := server.Database(t)
		s, err := mongo.Open(context.Background(), mongo.Config{URI: uri, Database: name, NoHints: !server.Real()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	})
}
