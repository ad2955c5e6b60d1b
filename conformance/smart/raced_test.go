//go:build race

package smart

const raced = true
