package synth

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"
)

// Write writes bundles as NDJSON, one in each line, and returns the number of resources. Only one
// bundle is in memory at a time.
func Write(w io.Writer, bundles iter.Seq[Bundle]) (resources int, err error) {
	out := bufio.NewWriterSize(w, 1<<16)
	for b := range bundles {
		resources += bytes.Count(b.Body, []byte(`"request":{"method"`))
		if _, err := out.Write(append(b.Body, '\n')); err != nil {
			return resources, fmt.Errorf("write a region: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return resources, fmt.Errorf("write a region: %w", err)
	}
	return resources, nil
}
