// Package fault tests the answers to clients while a store fails: a full disk and one that stops
// under Pebble, a primary of MongoDB that is cut off, hangs, is late or steps down (LIM-008). Each
// answer is right, or 503 with Retry-After; no answer lacks a document because of a fault, and
// everything acknowledged is there afterwards.
package fault
