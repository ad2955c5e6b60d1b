package consent

import (
	"cmp"
	"container/heap"
	"strings"
)

// queue is names of the backlog in the order in which they are to be keyed. Those of
// Patients come first: what these key changes other names, and what depends on many of them
// is then keyed once. A name that follows others comes behind these (staleName.Depth), since a
// document that is keyed from one under old keys is seen by its name no more. It is for one
// goroutine.
type queue struct {
	backlog *backlog
	heap    queued
	known   map[string]bool
}

func (b *backlog) queue(names ...string) *queue {
	q := &queue{backlog: b, known: map[string]bool{}}
	q.add(names...)
	return q
}

// add adds names that are in the backlog.
func (q *queue) add(names ...string) {
	for _, name := range names {
		if s, there := q.backlog.get(name); there && !q.known[name] {
			q.known[name] = true
			heap.Push(&q.heap, s)
		}
	}
}

// take takes out the first names, at most n. It returns none when all have ended.
func (q *queue) take(n int) (names []string) {
	for len(names) < n && len(q.heap) > 0 {
		was := heap.Pop(&q.heap).(staleName)
		s, there := q.backlog.get(was.Name)
		if there && s.Depth > was.Depth { // it follows something else by now
			heap.Push(&q.heap, s)
			continue
		}
		if delete(q.known, was.Name); there {
			names = append(names, was.Name)
		}
	}
	return names
}

// queued implements heap.Interface.
type queued []staleName

func (h queued) Len() int      { return len(h) }
func (h queued) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h queued) Less(i, j int) bool {
	return cmp.Or(rank(h[i].Name)-rank(h[j].Name), h[i].Depth-h[j].Depth, strings.Compare(h[i].Name, h[j].Name)) < 0
}

// Push implements heap.Interface.
func (h *queued) Push(x any) { *h = append(*h, x.(staleName)) }

// Pop implements heap.Interface.
func (h *queued) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	*h = (*h)[:last]
	return s
}

func rank(name string) int {
	for _, prefix := range []string{"Patient/", "nhs:", ownerName} {
		if strings.HasPrefix(name, prefix) {
			return 0
		}
	}
	return 1
}
