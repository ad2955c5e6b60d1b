package main

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestHints: what the account or a port does not permit is explained.
func TestHints(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}
	for want, err := range map[string]error{
		"sudo -u ACCOUNT":      fmt.Errorf("read key: %w", denied),
		"CAP_NET_BIND_SERVICE": fmt.Errorf("listen: %w", &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", syscall.EACCES)}),
		"":                     fs.ErrNotExist,
	} {
		if got := hintOf(err); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
	}
}
