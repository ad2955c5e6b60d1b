package backlog

import (
	"cmp"
	"container/heap"
	"strings"
)

// Queue is names of the backlog in the order in which they are to be keyed. Those of
// Patients come first: what these key changes other names, and what depends on many of them
// is then keyed once. A name that follows others comes behind these (Entry.Depth), since a
// document that is keyed from one under old keys is seen by its name no more. It is for one
// goroutine.
type Queue struct {
	backlog *Backlog
	heap    entryHeap
	known   map[string]bool
}

func (b *Backlog) NewQueue(names ...string) *Queue {
	q := &Queue{backlog: b, known: map[string]bool{}}
	q.Add(names...)
	return q
}

// Add adds names that are in the backlog.
func (q *Queue) Add(names ...string) {
	for _, name := range names {
		if s, there := q.backlog.Get(name); there && !q.known[name] {
			q.known[name] = true
			heap.Push(&q.heap, s)
		}
	}
}

// Take takes out the first names, at most n. It returns none when all have ended.
func (q *Queue) Take(n int) (names []string) {
	for len(names) < n && len(q.heap) > 0 {
		was := heap.Pop(&q.heap).(Entry)
		s, there := q.backlog.Get(was.Name)
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

// entryHeap implements heap.Interface.
type entryHeap []Entry

func (h entryHeap) Len() int      { return len(h) }
func (h entryHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h entryHeap) Less(i, j int) bool {
	return cmp.Or(priority(h[i].Name)-priority(h[j].Name), h[i].Depth-h[j].Depth, strings.Compare(h[i].Name, h[j].Name)) < 0
}

// Push implements heap.Interface.
func (h *entryHeap) Push(x any) { *h = append(*h, x.(Entry)) }

// Pop implements heap.Interface.
func (h *entryHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	*h = (*h)[:last]
	return s
}

func priority(name string) int {
	for _, prefix := range []string{"Patient/", "nhs:", OwnerPrefix} {
		if strings.HasPrefix(name, prefix) {
			return 0
		}
	}
	return 1
}
