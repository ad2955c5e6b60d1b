// Package fault holds tests of what clients are told while a store fails: a full
// disk and a slow one under Pebble, a primary of MongoDB that is cut off, hangs,
// is late or steps down (LIM-008). Each answer is right, or 503 with
// Retry-After; nothing is absent because of a fault, and what was acknowledged
// is there afterwards.
package fault
