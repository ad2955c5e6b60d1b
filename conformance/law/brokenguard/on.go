//go:build brokenguards

package brokenguard

import (
	"os"
	"sync"
)

// chosen reads the environment once.
var chosen = sync.OnceValue(func() string { return os.Getenv(Variable) })

// On reports whether the named guard is broken in this process. It is safe for
// concurrent use.
func On(name string) bool { return name == chosen() }
