package mongo

import (
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"carerecord/store"
)

// Labels of errors of a transaction, given by the server and the driver.
const (
	transientLabel = "TransientTransactionError"
	unknownLabel   = "UnknownTransactionCommitResult"
)

// uncertainCodes are errors of a server that was interrupted: the write may have been applied.
var uncertainCodes = [...]int{
	50,    // MaxTimeMSExpired
	64,    // WriteConcernFailed
	91,    // ShutdownInProgress
	189,   // PrimarySteppedDown
	262,   // ExceededTimeLimit
	11600, // InterruptedAtShutdown
	11602, // InterruptedDueToReplStateChange
}

// failed wraps an error of the driver. Sentinels of the engine (a conflict, an absence) are
// kept; any other error means that MongoDB does not answer now.
func failed(doing string, err error) error {
	for _, own := range [...]error{store.ErrNotFound, store.ErrConflict, store.ErrExists, store.ErrTooLarge, store.ErrUnavailable} {
		if errors.Is(err, own) {
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	if hasCode(err, 10334, 17419, 17420) { // BSONObjectTooLarge, and two of updates
		return fmt.Errorf("mongo: %s: %w: %w", doing, store.ErrTooLarge, err)
	}
	return fmt.Errorf("mongo: %s: %w: %w", doing, store.ErrUnavailable, err)
}

// failedWrite is failed for a write outside a transaction, which may have been applied although
// no answer came.
func failedWrite(doing string, err error) error {
	if uncertain(err) {
		return fmt.Errorf("mongo: %s: %w: %w: %w", doing, store.ErrUnavailable, store.ErrUnknown, err)
	}
	return failed(doing, err)
}

// uncertainWrite is failed for a lookup that should find out whether a write was applied.
func uncertainWrite(doing string, err error) error {
	return fmt.Errorf("mongo: %s: %w: %w: %w", doing, store.ErrUnavailable, store.ErrUnknown, err)
}

// uncertain reports whether a write that failed with err may have been applied.
func uncertain(err error) bool {
	var selection topology.ServerSelectionError
	if errors.As(err, &selection) {
		return false // never sent
	}
	var command mongo.CommandError
	var write mongo.WriteException
	var bulk mongo.BulkWriteException
	switch {
	case errors.As(err, &write):
		if write.WriteConcernError != nil {
			return true
		}
	case errors.As(err, &bulk):
		if bulk.WriteConcernError != nil {
			return true
		}
	case errors.As(err, &command) && command.Code != 0:
	default:
		return true // no answer
	}
	return hasCode(err, uncertainCodes[:]...)
}

func hasCode(err error, codes ...int) bool {
	var server mongo.ServerError
	if !errors.As(err, &server) {
		return false
	}
	for _, code := range codes {
		if server.HasErrorCode(code) {
			return true
		}
	}
	return false
}

func hasLabel(err error, label string) bool {
	var labelled mongo.LabeledError
	return errors.As(err, &labelled) && labelled.HasErrorLabel(label)
}
