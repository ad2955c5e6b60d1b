package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// ClockOffset returns by how much the clock of this process is ahead of that of the primary; negative if it is behind. The true offset
// differs from it by at most uncertain, half of the time that the question took, and a millisecond. Both clocks are wall clocks.
func (db *DB) ClockOffset(ctx context.Context) (offset, uncertain time.Duration, err error) {
	var hello struct {
		Time time.Time `bson:"localTime"`
	}
	sent := time.Now()
	here := db.clock().Round(0)
	// every server knows isMaster
	if err := db.client.Database("admin").RunCommand(ctx, bson.D{{Key: "isMaster", Value: 1}}).Decode(&hello); err != nil {
		return 0, 0, failed("read the clock of the server", err)
	}
	uncertain = time.Since(sent) / 2
	return here.Add(uncertain).Sub(hello.Time), uncertain + time.Millisecond, nil
}
