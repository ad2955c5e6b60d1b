// Package ehr is the SMART part of an electronic health record that launches apps, for vendors to copy: it gets a token with
// its own key (private_key_jwt), announces a launch at the record, and gives its user the link to open.
//
// It imports nothing but the standard library. A page in a browser cannot do this, since it cannot keep a private key.
package ehr
