package mongo

import (
	"context"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// idleSnaps are the snapshots without a command yet. MongoDB takes a snapshot at the first
// command of a transaction, so such a snapshot would see a commit that was made after Read had
// called its function. An extra command for every read would prevent that; instead a commit of
// this process sends one for the idle snapshots before it begins (fixSnapshots). A commit of
// another process is seen as a whole or not at all.
type idleSnaps struct {
	mu    sync.Mutex
	snaps map[*snap]struct{}
}

func (u *idleSnaps) add(s *snap) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.snaps[s] = struct{}{}
}

func (u *idleSnaps) remove(s *snap) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.snaps, s)
}

func (u *idleSnaps) all() []*snap {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := make([]*snap, 0, len(u.snaps))
	for s := range u.snaps {
		all = append(all, s)
	}
	return all
}

// fixSnapshots makes the server take the idle snapshots.
func (db *DB) fixSnapshots(ctx context.Context) {
	for _, s := range db.idleSnaps.all() {
		s.used.Do(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.timeout)
			defer cancel()
			// A snapshot that could not be taken fails at its next command.
			s.answered = db.counters.FindOne(mongo.NewSessionContext(ctx, s.session),
				bson.D{{Key: "_id", Value: "format"}}, db.hintID()).Err() == nil
			db.idleSnaps.remove(s)
		})
	}
}

// markUsed records that the snapshot is about to be used, or not needed any more. It waits for a
// commit that is fixing it.
func (s *snap) markUsed() { s.used.Do(func() { s.db.idleSnaps.remove(s) }) }
