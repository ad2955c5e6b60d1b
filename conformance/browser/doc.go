// Package browser tests the pages of the authorization server, the example EHR and the example app in Chromium, with the server in
// the process of the test. Three sites stand for three parties: the record at 127.0.0.1, the examples at localhost, and another site
// of localhost, which frames pages and receives codes. On each page that a journey shows, axe-core looks for faults of accessibility,
// and the tab notes requests to other hosts, headers and blocked loads. CARERECORD_SCREENSHOTS names a folder for pictures of them.
package browser
