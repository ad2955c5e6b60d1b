package mongo

// limits are the sizes at which the engine changes its method. Tests make them small.
type limits struct {
	merge     int // ordered streams that are merged; with more postings the candidates are collected
	separate  int // postings that are walked separately even if they have few candidates
	collect   int // candidates that are collected and sorted here
	postings  int // postings that one command names
	fetch     int // documents that one command reads by _id
	bodies    int // documents of a batch of a cursor
	keys      int // the same without bodies
	chunk     int // documents that one command writes, or whose newest versions it reads
	wholeDocs int // a commit of at most this many updates reads the replaced documents as a whole
	count     int // the largest number to which candidates of a condition are counted
	rare      int // a count so small that no other condition is considered
	large     int // commits of more writes run one at a time
}

// defaultLimits are the limits in production.
func defaultLimits() limits {
	return limits{
		merge: 32, separate: 3, collect: 10_000, postings: 500, fetch: 100, bodies: 200, keys: 1000,
		chunk: 1000, wholeDocs: 16, count: 1000, rare: 100,
		// A transaction is limited by the share of the server's cache that it dirties.
		large: 5000,
	}
}
