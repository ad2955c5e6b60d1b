// Package jwks fetches the key sets that clients publish at a URL of their own, and keeps each as long as
// its client allows. A URL is text from outside: it is fetched by https, without redirects, from public
// addresses alone, within bounds of time and size (SMART-335). A set past its time is never used.
package jwks
