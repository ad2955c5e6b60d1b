// Package mongotest gives tests a MongoDB server.
//
// It uses, in this order: $MONGODB_URI; a mongod on the PATH, started as a replica set of one
// node in a temporary folder; else the stand-in that scripts/mongo-standin.sh fetches, which
// implements MongoDB's wire protocol but is not MongoDB. Plans and times of the stand-in prove
// nothing about MongoDB: tests of those check Server.Real. There is one server for each test
// binary, and a fresh database for each test. Without a server the tests fail; none is skipped.
//
// A test binary stops its server in TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(mongotest.Run(m)) }
//
// Crash tests use a server of their own (StartOwn), which they may Kill and Restart. StartOwn
// ignores a server at $MONGODB_URI, because tests must not kill it.
package mongotest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// patience is how long a server may take to answer, to start or to stop.
const patience = 30 * time.Second

// Server is a running MongoDB or stand-in.
type Server struct {
	uri     string
	version string
	real    bool
	process *process // nil for $MONGODB_URI
	own     bool     // used by one test: its databases are removed with it
	client  *mongo.Client
}

// shared holds the one server of a test binary.
type shared struct {
	once   sync.Once
	server *Server
	err    error
}

// binary is the server of this test binary. It starts at the first Start and
// is stopped by Run.
var binary = new(shared)

// Run runs the tests of a binary, stops their server and returns the exit code.
func Run(m *testing.M) int {
	defer func() {
		binary.once.Do(func() {})
		if binary.server != nil {
			writeKind(binary.server.Describe())
			binary.server.stop()
		}
	}()
	return m.Run()
}

// writeKind writes the kind of the server to a file if the test script requests it.
func writeKind(server string) {
	name := os.Getenv("CARERECORD_TEST_SERVER_FILE")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mongotest:", err)
		return
	}
	defer f.Close()
	fmt.Fprintln(f, server)
}

// Start returns the server of this test binary. The test fails if there is none.
func Start(tb testing.TB) *Server {
	tb.Helper()
	binary.once.Do(func() {
		if uri := os.Getenv("MONGODB_URI"); uri != "" {
			binary.server, binary.err = connect(uri)
			return
		}
		binary.server, binary.err = launch(false)
	})
	if binary.err != nil {
		tb.Fatalf("no MongoDB for the tests: %v", binary.err)
	}
	return binary.server
}

// StartOwn returns a server for one test, which may kill it. It stops at the end of the test.
func StartOwn(tb testing.TB) *Server { return own(tb, false) }

// StartSeparate returns the server of this test binary if that is MongoDB, and else a stand-in for
// this test, for tests that run in parallel with others: the stand-in blocks while it drops a
// database, which takes it up to a minute.
func StartSeparate(tb testing.TB) *Server {
	tb.Helper()
	if s := Start(tb); s.real {
		return s
	}
	return StartOwn(tb)
}

// Standalone returns a server for one test that is not a replica set.
func Standalone(tb testing.TB) *Server { return own(tb, true) }

func own(tb testing.TB, standalone bool) *Server {
	tb.Helper()
	s, err := launch(standalone)
	if err != nil {
		tb.Fatalf("no MongoDB for the test: %v", err)
	}
	s.own = true
	tb.Cleanup(s.stop)
	return s
}

// launch starts a server on this machine.
func launch(standalone bool) (*Server, error) {
	p, err := newProcess(standalone)
	if err != nil {
		return nil, err
	}
	if err := p.start(); err != nil {
		p.remove()
		return nil, err
	}
	s, err := connect(p.uri())
	if err != nil {
		p.kill()
		p.remove()
		return nil, fmt.Errorf("%w\n%s", err, p.output())
	}
	s.process = p
	return s, nil
}

// connect reads the role of a server.
func connect(uri string) (*Server, error) {
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(patience))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", uri, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var info struct {
		Version string `bson:"version"`
		StandIn string `bson:"secantusVersion"`
	}
	if err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&info); err != nil {
		_ = client.Disconnect(ctx)
		return nil, fmt.Errorf("read the role of %s: %w", uri, err)
	}
	s := &Server{uri: uri, version: info.Version, real: info.StandIn == "", client: client}
	if !s.real {
		s.version = info.StandIn
	}
	return s, nil
}

// Real reports whether the server is MongoDB itself and not the stand-in.
func (s *Server) Real() bool { return s.real }

// Describe names the server and its version.
func (s *Server) Describe() string {
	name := "stand-in secantusd-rs"
	if s.real {
		name = "MongoDB"
	}
	from := "$MONGODB_URI"
	if s.process != nil {
		from = "started by the test"
	}
	return fmt.Sprintf("%s %s (%s)", name, s.version, from)
}

// URI is the address of the server.
func (s *Server) URI() string { return s.uri }

// Database returns the address of the server and the name of a fresh database,
// which is dropped when the test ends.
func (s *Server) Database(tb testing.TB) (uri, name string) {
	tb.Helper()
	name = "t_" + strings.ToLower(rand.Text())
	tb.Cleanup(func() {
		if s.own {
			return // its folder is removed; dropping would wait for transactions of killed clients
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.client.Database(name).Drop(ctx); err != nil {
			tb.Errorf("drop database %s: %v", name, err)
		}
	})
	return s.uri, name
}

// Kill ends the server at once, without shutdown (kill -9).
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	if s.process == nil {
		tb.Fatal("a server at $MONGODB_URI is not ours to kill: use Own")
	}
	s.process.kill()
}

// Restart starts a killed server again on the same folder and port.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	if s.process == nil || s.process.running() {
		tb.Fatal("Restart is for a server that was killed")
	}
	if err := s.process.start(); err != nil {
		tb.Fatalf("restart the server: %v", err)
	}
}

func (s *Server) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.client.Disconnect(ctx)
	if s.process != nil {
		s.process.kill()
		s.process.remove()
	}
}
