//go:build race

package atonce

const raced = true
