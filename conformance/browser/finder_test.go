package browser

import (
	"fmt"
	"testing"
)

// finder keeps what a check says, instead of failing.
type finder struct {
	testing.TB
	said []string
}

func (f *finder) Error(args ...any) { f.said = append(f.said, fmt.Sprint(args...)) }
func (f *finder) Errorf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}
