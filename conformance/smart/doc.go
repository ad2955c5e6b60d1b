// Package smart tests the authorization server as clients and browsers meet it: whole journeys over HTTP, with a record behind
// them, on one server and on two that take turns.
//
// TestWalk and its like make random walks: steps of people in two browsers, of clients, of operators and of attackers, drawn from a
// seed. A small model says which codes and tokens each step may make and which must end; after each step every access token is sent to
// the record. CARERECORD_SOAK multiplies the walks, CARERECORD_WALK_SEED repeats one, and the race detector divides them by 20.
package smart
