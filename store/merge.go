package store

import "iter"

// ByRow orders documents as a store does, by row ID.
func ByRow(a, b Doc) int { return a.RowID.Compare(b.RowID) }

// Merge yields the elements of sequences, each of which is in the order of compare, in that order.
// Of equal elements that of the earlier sequence comes first. The first error ends it.
func Merge[T any](sequences []iter.Seq2[T, error], compare func(a, b T) int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		type head struct {
			value T
			next  func() (T, error, bool)
		}
		var heads []*head
		for _, s := range sequences {
			next, stop := iter.Pull2(s)
			defer stop()
			v, err, ok := next()
			if err != nil {
				yield(v, err)
				return
			}
			if ok {
				heads = append(heads, &head{v, next})
			}
		}
		for len(heads) > 0 {
			first := 0
			for i, h := range heads {
				if compare(h.value, heads[first].value) < 0 {
					first = i
				}
			}
			h := heads[first]
			if !yield(h.value, nil) {
				return
			}
			v, err, ok := h.next()
			switch {
			case err != nil:
				yield(v, err)
				return
			case ok:
				h.value = v
			default:
				heads = append(heads[:first], heads[first+1:]...)
			}
		}
	}
}
