// Package examples serves the example EHR and the example app of the folders below it, as one site. The demonstration serves it
// from another host name than its own pages: scripts of one origin can read all pages of it.
package examples
