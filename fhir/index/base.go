package index

// Base returns the public FHIR base of the server, without a slash at the end.
func (x *Indexer) Base() string { return x.base }
