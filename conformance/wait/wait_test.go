package wait_test

import (
	"testing"

	"carerecord/conformance/wait"
)

// TestFor: a condition is called until it is true, and once more after the limit.
func TestFor(t *testing.T) {
	calls := 0
	if !wait.Until(func() bool { calls++; return calls == 3 }) || calls != 3 {
		t.Errorf("a condition that is true at the third call was called %d times", calls)
	}
	calls = 0
	if wait.For(0, func() bool { calls++; return false }) || calls == 0 {
		t.Errorf("a condition that is never true was called %d times", calls)
	}
}
