// Package smart tests the authorization server as clients and browsers meet it: whole journeys over HTTP, with a record behind
// them, on one server and on two that take turns.
package smart
