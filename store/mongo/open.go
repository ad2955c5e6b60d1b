package mongo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"carerecord/store"
)

// format is the number of the layout that this package writes. Open rejects a database with
// another one.
const format = 1

// defaultTimeout is Config.Timeout if that is zero.
const defaultTimeout = 10 * time.Second

// buildTimeout bounds the building of the indexes if no deadline does.
const buildTimeout = 24 * time.Hour

// closeTimeout bounds the last write of Close, whose server may have ended.
const closeTimeout = 2 * time.Second

// Config is the configuration of a DB.
type Config struct {
	URI      string // of a replica set, as MongoDB writes it
	Database string
	// Clock is for the expiry of state; nil is time.Now.
	Clock func() time.Time
	// Timeout bounds a command, and the attempts of a commit, whose context has no deadline, and
	// the search for an unknown outcome. Zero is 10 s.
	Timeout time.Duration
	// NoHints leaves the choice of the index of a search to the server, and sends only the
	// driving condition of the search. MongoDB then compares plans and may choose badly; it is
	// for tests of other packages on a server that walks the whole index of a hint.
	NoHints bool
	// NoticeStandIn makes Open request the server's build, and sets NoHints if that is the
	// stand-in of the tests. Every other server gets hints.
	NoticeStandIn bool
	// Monitor receives every command; may be nil.
	Monitor *event.CommandMonitor
}

// DB is an open record. It implements store.Store, store.State, store.Log,
// store.ChangeFeed and store.Copier and is safe for concurrent use.
type DB struct {
	client  *mongo.Client
	clock   func() time.Time
	timeout time.Duration
	noHints bool

	res, old, claims, state, log, marks, counters *mongo.Collection

	limits    limits
	locks     *nameLocks
	largeSlot chan struct{} // held by the commit of more than limits.large writes
	seq       sequence
	estimates *estimates
	sweeps    sweeps
	logWriter *logWriter
	feed      feed

	idleSnaps idleSnaps
	aborts    sync.WaitGroup // aborts of transactions in the background; Close waits for them
}

var (
	_ store.Store      = (*DB)(nil)
	_ store.State      = (*DB)(nil)
	_ store.Log        = (*DB)(nil)
	_ store.ChangeFeed = (*DB)(nil)
)

// Open connects to a record and creates missing collections and indexes. The server must be a
// replica set or a mongos.
func Open(ctx context.Context, c Config) (*DB, error) {
	if c.URI == "" || c.Database == "" {
		return nil, errors.New("mongo: open: the configuration lacks the URI or the name of the database")
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	durable := &writeconcern.WriteConcern{W: "majority", Journal: new(true)}
	client, err := mongo.Connect(options.Client().ApplyURI(c.URI).
		SetTimeout(c.Timeout).SetServerSelectionTimeout(c.Timeout).
		SetReadPreference(readpref.Primary()).SetReadConcern(readconcern.Majority()).
		SetWriteConcern(durable).SetRetryReads(true).SetRetryWrites(true).
		SetMonitor(c.Monitor))
	if err != nil {
		return nil, fmt.Errorf("mongo: open: %w", err)
	}
	db := newDB(client, c)
	db.noHints = db.noHints || c.NoticeStandIn && db.onStandIn(ctx)
	if err := db.prepare(ctx); err != nil {
		_ = client.Disconnect(context.WithoutCancel(ctx))
		return nil, err
	}
	return db, nil
}

func newDB(client *mongo.Client, c Config) *DB {
	base := client.Database(c.Database)
	db := &DB{
		client: client, clock: c.Clock, timeout: c.Timeout, noHints: c.NoHints,
		res: base.Collection("res"), old: base.Collection("old"),
		claims: base.Collection("claims"), state: base.Collection("state"),
		log: base.Collection("log"), marks: base.Collection("marks"),
		counters: base.Collection("counters"),
		limits:   defaultLimits(), locks: newNameLocks(), largeSlot: make(chan struct{}, 1), estimates: newEstimates(c.Clock),
	}
	db.logWriter = &logWriter{db: db}
	db.seq.inFlight, db.seq.unknownFor = map[uint64]time.Time{}, defaultUnknownFor
	db.idleSnaps.snaps = map[*snap]struct{}{}
	return db
}

// prepare checks the server and the format, and creates collections and indexes.
func (db *DB) prepare(ctx context.Context) error {
	if err := db.mustBeReplicated(ctx); err != nil {
		return err
	}
	if err := db.checkFormat(ctx); err != nil {
		return err
	}
	for _, c := range []*mongo.Collection{db.res, db.old, db.claims, db.state, db.log, db.marks} {
		// Older servers create no collection in a transaction. The driver does not bound this
		// command.
		once, cancel := context.WithTimeout(ctx, db.timeout)
		err := c.Database().CreateCollection(once, c.Name())
		cancel()
		if err != nil && !hasCode(err, 48) { // NamespaceExists
			return failed("create collection "+c.Name(), err)
		}
	}
	// A new index is built on all stored documents.
	buildCtx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	for _, index := range indexes(db) {
		if _, err := index.on.Indexes().CreateOne(buildCtx, index.model); err != nil {
			return failed("create an index of "+index.on.Name(), err)
		}
	}
	return db.logWriter.reread(ctx)
}

// mustBeReplicated rejects a server without transactions.
func (db *DB) mustBeReplicated(ctx context.Context) error {
	var hello struct {
		Set     string `bson:"setName"`
		Message string `bson:"msg"`
	}
	// every server knows isMaster
	err := db.client.Database("admin").RunCommand(ctx, bson.D{{Key: "isMaster", Value: 1}}).Decode(&hello)
	if err != nil {
		return failed("read the role of the server", err)
	}
	if hello.Set == "" && hello.Message != "isdbgrid" {
		return errors.New("mongo: open: the server is a standalone mongod; the record needs transactions, " +
			"which MongoDB has in a replica set only: start it with --replSet and run rs.initiate(), one node is enough")
	}
	return nil
}

// onStandIn reports whether the server is the stand-in of the tests. A server that does not
// answer is not.
func (db *DB) onStandIn(ctx context.Context) bool {
	build, err := db.client.Database("admin").RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Raw()
	return err == nil && isStandIn(build)
}

// isStandIn reports whether a build is that of the stand-in, which walks the whole index of a
// hint. MongoDB does not.
func isStandIn(build bson.Raw) bool {
	_, err := build.LookupErr("secantusVersion")
	return err == nil
}

func (db *DB) checkFormat(ctx context.Context) error {
	_, err := db.counters.UpdateOne(ctx, bson.D{{Key: "_id", Value: "format"}},
		bson.D{{Key: "$max", Value: bson.D{{Key: "n", Value: int64(format)}}}},
		options.UpdateOne().SetUpsert(true).SetHint(byID))
	if err != nil {
		return failed("write the format", err)
	}
	var stored struct {
		N int64 `bson:"n"`
	}
	err = db.counters.FindOne(ctx, bson.D{{Key: "_id", Value: "format"}}, db.hintID()).Decode(&stored)
	if err != nil {
		return failed("read the format", err)
	}
	if stored.N != format {
		return fmt.Errorf("mongo: open: the database has format %d, this program writes %d", stored.N, format)
	}
	return nil
}

// The names of the indexes, for hints.
const (
	byID        = "_id_"
	byPosting   = "K"
	byPartition = "P"
	byUpdated   = "L"
	byRowID     = "D"
	byCommit    = "Q"
	byExpiry    = "X"
)

type index struct {
	on    *mongo.Collection
	model mongo.IndexModel
}

func indexes(db *DB) []index {
	named := func(c *mongo.Collection, name string, o *options.IndexOptionsBuilder, fields ...bson.E) index {
		return index{c, mongo.IndexModel{Keys: bson.D(fields), Options: o.SetName(name)}}
	}
	up := func(field string) bson.E { return bson.E{Key: field, Value: 1} }
	down := func(field string) bson.E { return bson.E{Key: field, Value: -1} }
	plain := options.Index
	return []index{
		named(db.res, byPosting, plain(), up("k"), up("p"), up("o"), up("s")),
		named(db.res, byPartition, plain(), up("p"), up("t"), up("_id")),
		named(db.res, byUpdated, plain(), up("t"), down("lu"), down("q"), up("_id")),
		named(db.res, byRowID, plain().SetUnique(true), up("p"), up("o"), up("d")),
		named(db.res, byCommit, plain(), up("q")),
		named(db.old, byCommit, plain(), up("q")),
		named(db.old, byPartition, plain(), up("p"), up("t"), up("_id")),
		named(db.old, byUpdated, plain(), up("t"), down("lu"), down("q"), up("_id")),
		named(db.state, byExpiry, plain(), up("x")),
		named(db.marks, byExpiry, plain().SetExpireAfterSeconds(3600), up("x")),
	}
}

// Close implements store.Store.
func (db *DB) Close() error {
	db.logWriter.wait()
	db.aborts.Wait()
	note, done := context.WithTimeout(context.Background(), min(db.timeout, closeTimeout))
	db.closeSequence(note)
	done()
	ctx, cancel := context.WithTimeout(context.Background(), db.timeout)
	defer cancel()
	if err := db.client.Disconnect(ctx); err != nil {
		return failed("close", err)
	}
	return nil
}
