// Package brokenguard selects a guard that is broken on purpose at run time (CON-1507).
//
// A broken guard is a set of insertions into the product's sources, which
// conformance/law/brokenguards_test.go applies when it builds a test binary. Each insertion calls On
// with its name. On exists only under the build tag brokenguards, and no source of the product imports
// this package, so an ordinary build contains neither.
package brokenguard

// Variable is the environment variable with the name of the broken guard. If it is empty, no guard is broken.
const Variable = "CARERECORD_BROKEN_GUARD"
