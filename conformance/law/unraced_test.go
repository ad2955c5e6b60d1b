//go:build !race

package law_test

const raced = false
