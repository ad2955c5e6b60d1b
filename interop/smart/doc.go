// Package smart is the authorization server of SMART App Launch 2.2.0: its endpoints, put together from a package for each
// step of the protocol. The resource server's side is package resource, which needs nothing of the endpoints. Nothing is
// kept in the process but what can be read again, so several servers over one store act as one (SMART-498).
package smart
