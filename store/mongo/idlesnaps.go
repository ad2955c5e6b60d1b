package mongo

import (
	"context"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// idleSnaps are the snapshots that have asked nothing yet. MongoDB takes a
// snapshot at the first command of a transaction, so such a one would see a
// commit that was made after Read had called its function. To spare every read
// a command more, a commit of this process fixes them before it begins (pin).
// What other processes commit meanwhile is seen whole or not at all.
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

// fixSnapshots fixes the snapshots that have asked nothing yet.
func (db *DB) fixSnapshots(ctx context.Context) {
	for _, s := range db.idleSnaps.all() {
		s.used.Do(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.timeout)
			defer cancel()
			// A snapshot that could not be fixed fails at its next command.
			s.answered = db.counters.FindOne(mongo.NewSessionContext(ctx, s.session),
				bson.D{{Key: "_id", Value: "format"}}, db.hintID()).Err() == nil
			db.idleSnaps.remove(s)
		})
	}
}

// markUsed says that the snapshot is about to be used, or is not needed any more. It
// waits for a commit that is fixing it.
func (s *snap) markUsed() { s.used.Do(func() { s.db.idleSnaps.remove(s) }) }
