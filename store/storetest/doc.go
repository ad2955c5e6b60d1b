// Package storetest tests engines against the contract of package store.
//
// Reference is a simple store in memory: it answers every query by calling store.Match for all
// documents and sorting the result. Tests of other packages use it as their store.
//
// Run tests one engine against the contract, one sentence per subtest. Random runs the same random
// operations on an engine and a Reference and compares all results. It shortens a sequence that
// differs and prints it with its seed.
//
// Faults makes each access of an engine to its storage fail once, and counts the effects of each
// operation.
//
// The tests take an engine as a Subject:
//
//	storetest.Run(t, storetest.Subject{Open: func(t testing.TB, clock func() time.Time) storetest.Engine { … }})
package storetest

import (
	"testing"
	"time"

	"carerecord/store"
)

// Engine is an engine under test: documents and all three ports. store.Engine also has the methods of
// maintenance, which the reference store does not need.
type Engine interface {
	store.Store
	store.State
	store.Log
	store.ChangeFeed
}

// Subject is an engine under test.
type Subject struct {
	// Open returns a new, empty engine that reads the time from clock, and closes it with
	// t.Cleanup. It is called once for each test.
	Open func(t testing.TB, clock func() time.Time) Engine
	// Reopen closes an engine that Open or Reopen returned and opens its store again. It is
	// nil for an engine without durable storage.
	Reopen func(t testing.TB, e Engine, clock func() time.Time) Engine
	// Racers is the number of concurrent commits in the tests of races; 0 means 1000.
	Racers int
}

func (s Subject) racers() int {
	if s.Racers > 0 {
		return s.Racers
	}
	return 1000
}
