//go:build !race

package node

// raced says that the race detector is on: long tests are made short.
const raced = false
