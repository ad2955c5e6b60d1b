package node

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
)

// socketFile returns the path of the socket on which a running server takes commands: in the
// folder of a Pebble store, or next to the keys with a name of the MongoDB record's own.
// Commands that need the store use it, since a store has one writer.
func (c *Config) socketFile() string {
	if c.Address.folder != "" {
		return filepath.Join(c.Address.folder, "carerecord.sock")
	}
	sum := sha256.Sum256([]byte(c.Address.text))
	return filepath.Join(c.KeysDir, fmt.Sprintf("carerecord-%x.sock", sum[:4]))
}

// listenSocket serves the operations until the returned function is called. Only the user who
// runs the server can connect.
func (n *Node) listenSocket() (stop func(), err error) {
	file := n.cfg.socketFile()
	if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("remove an old socket: %w", err)
	}
	l, err := net.Listen("unix", file)
	if err != nil {
		return nil, fmt.Errorf("listen on the socket: %w", err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	server := &http.Server{Handler: n.lease.require(n.operationsHandler())}
	go server.Serve(l) // ends with Close
	return func() { server.Close() }, nil
}

// operationsHandler answers on the socket.
func (n *Node) operationsHandler() http.Handler {
	known := routes{}
	for _, op := range n.operations() {
		known[op.pattern] = n.recorded(op)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		handle, _ := known.find(q)
		if handle == nil {
			handle = known[unknownOperation]
		}
		handle(w, q)
	})
}
