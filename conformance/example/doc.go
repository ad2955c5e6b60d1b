// Package example has the test that writes docs/storage-example.md: it writes one Observation through the
// guard into both engines, decodes the stored data, and fails if the page differs.
package example
