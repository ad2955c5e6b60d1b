package mongo

import (
	"context"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// unasked are the snapshots that have asked nothing yet. MongoDB takes a
// snapshot at the first command of a transaction, so such a one would see a
// commit that was made after Read had called its function. To spare every read
// a command more, a commit of this process fixes them before it begins (pin).
// What other processes commit meanwhile is seen whole or not at all.
type unasked struct {
	mu    sync.Mutex
	snaps map[*snap]struct{}
}

func (u *unasked) add(s *snap) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.snaps[s] = struct{}{}
}

func (u *unasked) remove(s *snap) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.snaps, s)
}

func (u *unasked) all() []*snap {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := make([]*snap, 0, len(u.snaps))
	for s := range u.snaps {
		all = append(all, s)
	}
	return all
}

// pin fixes the snapshots that have asked nothing yet.
func (db *DB) pin(ctx context.Context) {
	for _, s := range db.unasked.all() {
		s.asked.Do(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.timeout)
			defer cancel()
			// A snapshot that could not be fixed fails at its next command.
			s.taken = db.counters.FindOne(mongo.NewSessionContext(ctx, s.session),
				bson.D{{Key: "_id", Value: "format"}}, db.byAddress()).Err() == nil
			db.unasked.remove(s)
		})
	}
}

// ask says that the snapshot is about to be used, or is not needed any more. It
// waits for a commit that is fixing it.
func (s *snap) ask() { s.asked.Do(func() { s.db.unasked.remove(s) }) }
