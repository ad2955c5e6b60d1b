// Package atonce tests concurrent use of one record: source systems, staff and patients write, documents
// are rekeyed and a search parameter is defined, while readers compare their answers with a plain model of
// the directives in force. A seed plans a round. It runs on the reference store, the embedded engine or
// MongoDB, and ends by comparing everything in memory, and every document, with a rebuild.
// CARERECORD_SOAK multiplies the rounds, and CARERECORD_ATONCE_SEED repeats one of them.
package atonce
