package mongo

// limits are the sizes at which the engine goes over to another way of doing
// the same. Tests make them small.
type limits struct {
	merge     int // ordered streams that are merged; of more posts the candidates are collected
	separate  int // posts that are asked for apart even where they have few candidates
	collect   int // candidates that are collected to be sorted here
	postings  int // posts that one command names
	fetch     int // documents that are read by their addresses at once
	bodies    int // documents that the server sends at once
	keys      int // the same without bodies
	chunk     int // documents that one command writes, or looks up the heads of
	wholeDocs int // documents that a commit reads whole when it looks at their versions
	count     int // how far a lead is counted to find out whether it is rare
	rare      int // a count that needs no better lead
	large     int // writes of a commit that runs at a time
}

// defaultLimits are the limits in service.
func defaultLimits() limits {
	return limits{
		merge: 32, separate: 3, collect: 10_000, postings: 500, fetch: 100, bodies: 200, keys: 1000,
		chunk: 1000, wholeDocs: 16, count: 1000, rare: 100,
		// A transaction is limited by the share of the server's cache that it dirties.
		large: 5000,
	}
}
