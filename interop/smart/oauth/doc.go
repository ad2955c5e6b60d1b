// Package oauth is the vocabulary of the OAuth endpoints: errors as RFC 6749 writes them, forms that
// are read strictly, and answers in JSON that nobody may store. A handler returns an error, and one
// place makes the answer of it. Nothing here knows a client or a token.
package oauth
