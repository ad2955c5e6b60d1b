// Package atonce holds tests in which everybody uses one record at the same time: feeds,
// staff and patients write, documents are keyed anew and a search parameter is defined,
// while readers compare what they see with a plain model of the directives in force.
// A round is planned by a seed, runs on the reference store, the embedded engine or
// MongoDB, and ends by comparing everything in memory, and every document, with a rebuild.
// CARERECORD_SOAK multiplies the rounds, and CARERECORD_ATONCE_SEED repeats one of them.
package atonce
