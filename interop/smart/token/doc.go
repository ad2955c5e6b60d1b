// Package token is the token endpoint (RFC 6749, section 3.2): it takes an authorization code, a refresh token,
// or the credentials of a backend client, and answers with an access token. These three are all the grant
// types there are (SMART-004). Every token is stored in one step with its audit record, before it is sent.
package token
