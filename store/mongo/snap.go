package mongo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"carerecord/store"
)

// readTries is how often the first command of a snapshot is attempted.
const readTries = 3

// Read implements store.Store. See the package comment for snapshots and their life. Only the
// first command of the snapshot is repeated (see retryFirst), before f has received anything.
func (db *DB) Read(ctx context.Context, f func(store.Snapshot) error) error {
	if err := ctx.Err(); err != nil {
		return failed("read", err)
	}
	s, err := db.begin()
	if err != nil {
		return failed("read: begin", err)
	}
	s.tracker = &store.CommitTracker{}
	db.idleSnaps.add(s)
	ended := false
	defer func() {
		if !ended { // f failed or panicked
			s.abort(ctx)
		}
	}()
	err = f(s)
	switch {
	case s.tracker.Stored():
		ended = true
		s.abortAsync(ctx)
	case err == nil:
		ended = true
		err = s.commit(ctx)
	}
	return err
}

// snap is a transaction. It implements store.Snapshot; commits use it to read before they write.
type snap struct {
	db        *DB
	session   *mongo.Session
	tracker   *store.CommitTracker // nil for a transaction of the engine itself
	answered  bool                 // a command was answered, so the server has taken the snapshot
	commitSeq uint64               // of the commit in this transaction
	used      sync.Once
}

// Tracker implements store.Snapshot.
func (s *snap) Tracker() *store.CommitTracker { return s.tracker }

func (db *DB) begin() (*snap, error) {
	session, err := db.client.StartSession()
	if err != nil {
		return nil, err
	}
	if err := session.StartTransaction(options.Transaction().SetReadConcern(readconcern.Snapshot())); err != nil {
		session.EndSession(context.Background())
		return nil, err
	}
	return &snap{db: db, session: session}, nil
}

// retryFirst runs a command of a snapshot. The first command of a Read makes the server take the
// snapshot. If a transient fault ended its transaction it is repeated in a new one: it has no
// effect, and nothing was read that another snapshot could contradict. No other command is
// repeated: neither one of a commit, which has written, nor a later one of a Read.
func retryFirst[T any](ctx context.Context, s *snap, command func(context.Context) (T, error)) (T, error) {
	for try := 1; ; try++ {
		answer, err := command(s.in(ctx))
		if err == nil || errors.Is(err, mongo.ErrNoDocuments) {
			s.answered = true
			return answer, err
		}
		if s.answered || s.tracker == nil || try == readTries || !hasLabel(err, transientLabel) || ctx.Err() != nil {
			return answer, err
		}
		next, beginErr := s.db.begin()
		if beginErr != nil {
			return answer, err
		}
		s.abortAsync(ctx)
		s.session = next.session
	}
}

// in makes commands under ctx part of the transaction. A session is for one goroutine: a commit
// that is fixing the snapshot has ended when in returns.
func (s *snap) in(ctx context.Context) context.Context {
	s.markUsed()
	return mongo.NewSessionContext(ctx, s.session)
}

// commit ends a transaction that has only read.
func (s *snap) commit(ctx context.Context) error {
	s.markUsed()
	defer s.session.EndSession(context.WithoutCancel(ctx))
	if err := s.session.CommitTransaction(ctx); err != nil {
		return failed("read: confirm the snapshot", err)
	}
	return nil
}

// abort ends a transaction without effect. The server would do that later, so errors do not
// matter. Without time left it does not wait.
func (s *snap) abort(ctx context.Context) {
	s.markUsed()
	if ctx.Err() == nil {
		s.db.end(ctx, s.session)
		return
	}
	s.abortAsync(ctx)
}

// abortAsync is abort in the background.
func (s *snap) abortAsync(ctx context.Context) {
	s.markUsed()
	session := s.session
	s.db.aborts.Go(func() { s.db.end(ctx, session) }) // end has a timeout
}

func (db *DB) end(ctx context.Context, session *mongo.Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.timeout)
	defer cancel()
	_ = session.AbortTransaction(ctx)
	session.EndSession(ctx)
}

// Get implements store.Snapshot.
func (s *snap) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	return s.findOne(ctx, s.db.res, ref, refID(ref))
}

// All implements store.Snapshot with one command per limits.fetch documents.
func (s *snap) All(ctx context.Context, refs []store.Ref) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		for chunk := range slices.Chunk(store.Distinct(refs), s.db.limits.fetch) {
			ids := make(bson.A, len(chunk))
			for i, ref := range chunk {
				ids[i] = refID(ref)
			}
			filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
			for d, err := range s.find(ctx, s.db.res, filter, s.db.hint(byID)) {
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}

// Version implements store.Snapshot.
func (s *snap) Version(ctx context.Context, ref store.Ref, version uint64) (store.Doc, error) {
	if version == 0 || version > math.MaxInt64 {
		return store.Doc{}, fmt.Errorf("mongo: version %d of %s: %w", version, ref, store.ErrNotFound)
	}
	d, err := s.Get(ctx, ref)
	if err != nil || d.Version == version {
		return d, err
	}
	return s.findOne(ctx, s.db.old, ref, versionID(ref, version))
}

// findOne reads the document with an _id. ref is for error texts.
func (s *snap) findOne(ctx context.Context, c *mongo.Collection, ref store.Ref, id string) (store.Doc, error) {
	raw, err := retryFirst(ctx, s, func(ctx context.Context) (bson.Raw, error) {
		return c.FindOne(ctx, bson.D{{Key: "_id", Value: id}}, s.db.hintID()).Raw()
	})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return store.Doc{}, fmt.Errorf("mongo: %s: %w", ref, store.ErrNotFound)
	}
	if err != nil {
		return store.Doc{}, failed("read "+ref.Type, err)
	}
	return unmarshal(raw)
}

// hint returns the options of a find with the index to use.
func (db *DB) hint(index string) *options.FindOptionsBuilder {
	if db.noHints && (index == byPosting || index == byID) {
		return options.Find()
	}
	return options.Find().SetHint(index)
}

// hintID returns the options of a find of one _id. MongoDB has only one index for it; a server
// that walks the whole index of a hint gets none.
func (db *DB) hintID() *options.FindOneOptionsBuilder {
	if db.noHints {
		return options.FindOne()
	}
	return options.FindOne().SetHint(byID)
}

// find yields the documents of a query in the server's order.
func (s *snap) find(ctx context.Context, c *mongo.Collection, filter bson.D, o *options.FindOptionsBuilder) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		for raw, err := range s.findRaw(ctx, c, filter, o) {
			var d store.Doc
			if err == nil {
				d, err = unmarshal(raw)
			}
			if err != nil {
				yield(store.Doc{}, failed("search "+c.Name(), err))
				return
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

// findRaw is find without unmarshalling. A document is valid until the next.
func (s *snap) findRaw(ctx context.Context, c *mongo.Collection, filter bson.D, o *options.FindOptionsBuilder) iter.Seq2[bson.Raw, error] {
	return func(yield func(bson.Raw, error) bool) {
		cursor, err := retryFirst(ctx, s, func(ctx context.Context) (*mongo.Cursor, error) {
			return c.Find(ctx, filter, o.SetAllowDiskUse(false))
		})
		if err != nil {
			yield(nil, err)
			return
		}
		ctx := s.in(ctx)
		defer cursor.Close(ctx)
		for cursor.Next(ctx) {
			if !yield(cursor.Current, nil) {
				return
			}
		}
		if err := cursor.Err(); err != nil {
			yield(nil, err)
		}
	}
}
