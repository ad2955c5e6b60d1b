// Package session keeps the browser sessions of people who have signed in, on the State port, so that every instance
// of the server knows them and a restart ends none (SMART-160 to 164, 170, 498). A browser has one cookie for a
// session of a patient, one for a session of staff, and one that binds a sign-in to the browser before there is a
// session; each has a random value, of which the store has the digest alone. A session ends after a time without
// activity, after a total time, at sign-out, or when its user ends it from another browser.
package session
