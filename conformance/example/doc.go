// Package example holds the test that writes docs/storage-example.md: one Observation goes
// through the guard into both engines, and what they store is decoded. The page follows
// from that, so that it cannot be out of date.
package example
