// Package law holds the tests of the law of the record (consent.md, section 15):
//
//	L1, reading: the answer over all data, given the requester, equals the
//	answer over only the data that this requester may see, given to somebody
//	without any guard, byte for byte; the two signals are added.
//	L2, traces: a sequence of requests with writes in it, mixed with writes of
//	others, gives the same answers on all data and on the visible data, with the
//	guard on in both.
//
// A world is a random record, written over HTTP by its feeds and people. What a
// requester may see of it is worked out by a plain evaluator (visible_test.go),
// written from the requirements alone: it imports neither fhir/index nor
// consent, and never asks store.Match. The visible part is put into a second
// store, and the same requests are sent to both, in process or over the network
// (http_test.go). The writes of some worlds overtake one another (overtaken_test.go).
//
// That the tests bite is tested too: each guard is broken on purpose (guards_test.go), and
// the tests have to fail. All broken guards are compiled into one test binary, which
// chooses one by name (bite_test.go, package brokenguard).
//
// A channel is a way by which something hidden could be told (channels_test.go). A
// run fails where one has too few cases, and where the product offers a route, a
// parameter or a link that no channel asks (tables_test.go).
//
// A case is one request. CARERECORD_SOAK multiplies the cases; with the race
// detector a twentieth of them run. CARERECORD_LAW_SEED runs one world.
package law
