// Package idp is a small OpenID provider with sample people, for demonstrations and tests: a person picks who they are and
// gives no password. Package signin uses it over HTTP like any other issuer, and its keys, codes and addresses are its own;
// it exists only if the program makes one, which the node does for a demonstration alone (SMART-009). One provider has the
// people of one kind: staff with signatures of RS256, patients with RS512, like the national issuers (SMART-182).
package idp
