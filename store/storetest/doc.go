// Package storetest is the contract of package store as something that runs.
//
// Reference is the store that is obviously right: documents in a map, every
// question answered by looking at all of them, sorting, and asking store.Match.
// Tests of other packages use it as their store.
//
// Run holds one engine against the contract, sentence by sentence. Random plays
// the same random operations against an engine and a Reference and compares
// every answer; a play that differs is made as short as it can be and printed
// with its seed.
//
// Faults makes each step between an engine and what it keeps its rows in fail once, and
// counts what each operation did.
//
// An engine is brought in as a Subject:
//
//	storetest.Run(t, storetest.Subject{Open: func(t testing.TB, clock func() time.Time) storetest.Engine { … }})
package storetest

import (
	"testing"
	"time"

	"carerecord/store"
)

// Engine is what an engine offers: documents and all three ports.
type Engine interface {
	store.Store
	store.State
	store.Log
	store.ChangeFeed
}

// Subject is an engine under test.
type Subject struct {
	// Open returns a fresh, empty engine that reads the time from clock, and
	// sees to its end with t.Cleanup. It is called once for each test.
	Open func(t testing.TB, clock func() time.Time) Engine
	// Reopen closes an engine that Open or Reopen returned and opens what it
	// kept. Nil for an engine that keeps nothing.
	Reopen func(t testing.TB, e Engine, clock func() time.Time) Engine
	// Racers is how many commits race in the tests of races; 0 means 1000.
	Racers int
}

func (s Subject) racers() int {
	if s.Racers > 0 {
		return s.Racers
	}
	return 1000
}
