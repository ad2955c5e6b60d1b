// Package grants keeps what people and administrators have granted to clients, and the tokens that name
// a grant. A token is a random value without a meaning; what it permits is in its grant, so that ending
// the grant ends all its tokens at once (SMART-315, 401). Nothing is kept in the process: several servers
// over one store act as one (SMART-498).
package grants
