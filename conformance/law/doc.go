// Package law tests that no answer depends on data that its requester may not see (consent.md,
// section 15):
//
//	L1, reading: the answer to a request over all data, with the guard on, equals the
//	answer over the visible data alone, without a guard, byte for byte; the two
//	signals are added.
//	L2, traces: a sequence of requests with writes in it, mixed with writes of
//	others, gets the same answers over all data and over the visible data, with the
//	guard on in both.
//
// README.md explains how a case is made, how to run one, and how to read a failure.
//
//	generate_*_test.go   random worlds, requesters, questions and writes
//	world_test.go        a side: one server over one store, in process or over HTTP
//	evaluator*_test.go   which versions a requester may see, from the requirements
//	                     alone, without fhir/index, consent and store.Match
//	visible_part_test.go the second store, with the visible versions alone
//	reading_test.go      L1: the comparison of answers
//	trace_test.go        L2: sequences of requests
//	rules_test.go        the same with random rules
//	overtaking_test.go   worlds whose writes overtake one another
//	channels_test.go     the channels by which hidden data could be revealed, counted
//	tables_test.go       every route and parameter of the product has a channel
//	guards_test.go       the broken guards that the tests must find
//	brokenguards_test.go builds and runs them (package brokenguard)
//
// A case is one request. CARERECORD_SOAK multiplies the cases; with the race
// detector a twentieth of them run. CARERECORD_LAW_SEED runs one world.
package law
