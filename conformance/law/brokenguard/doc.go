// Package brokenguard chooses one deliberately broken guard at run time (CON-1507).
//
// A broken guard is a set of edits of the product's sources that the test of the law
// applies when it builds a test binary (conformance/law/brokenguards_test.go). Each edit asks On
// for its own name. The function exists only under the build tag brokenguards, and no
// source of the product imports this package: an ordinary build has neither.
package brokenguard

// Variable is the environment variable that holds the name of the broken guard. Where it
// is empty, every guard is whole.
const Variable = "CARERECORD_BROKEN_GUARD"
