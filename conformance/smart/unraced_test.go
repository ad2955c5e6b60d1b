//go:build !race

package smart

const raced = false
