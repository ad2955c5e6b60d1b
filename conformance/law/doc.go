// Package law tests that no answer depends on data that its requester may not see (consent.md,
// section 15):
//
//	L1, reading: the answer to a request over all data, with the guard on, equals the
//	answer over the visible data only, without a guard, byte for byte, except for the
//	notices S1 and S2.
//	L2, traces: a sequence of requests with writes, mixed with writes of other
//	callers, gets the same answers over all data and over the visible data, with the
//	guard on in both.
//
// README.md explains how a case is made, how to run it, and how to read a failure.
//
//	generate_*_test.go   random worlds (world), their resources (bodies, consents,
//	                     values, …), questions (questions, searches, filters,
//	                     operations), writes and decisions (rules)
//	world_test.go        a side: one server over one store, in process or over HTTP
//	evaluator*_test.go   the versions that a requester may see, computed from the
//	                     requirements, without fhir/index, consent and store.Match
//	visible_part_test.go the second store, which has only the visible versions
//	reading_test.go      L1: the comparison of answers; pages and batches
//	                     (pages_test.go, batches_test.go)
//	trace_test.go        L2: sequences of requests
//	rules_test.go        both under random decisions
//	overtaking_test.go   worlds in which writes overtake one another
//	channels_test.go     counts the channels by which hidden data could be revealed
//	tables_test.go       every route and parameter of the product has a channel
//	guards_test.go       the broken guards that the tests must detect
//	brokenguards_test.go builds and runs them (package brokenguard)
//
// A case is one request. CARERECORD_SOAK multiplies the number of cases; the race detector divides
// it by twenty. CARERECORD_LAW_SEED selects one world.
package law
