package storetest

import (
	"testing"
	"time"
)

func reference() Subject {
	return Subject{Open: func(_ testing.TB, clock func() time.Time) Engine { return NewReference(clock) }}
}

func TestReference(t *testing.T) { Run(t, reference()) }

func TestReferenceRandom(t *testing.T) { Random(t, 1, 300, reference()) }

func TestReferenceCopies(t *testing.T) { Copies(t, reference()) }
