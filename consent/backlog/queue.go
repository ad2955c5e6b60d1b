package backlog

import (
	"cmp"
	"container/heap"
	"strings"
)

// Queue orders names of the backlog for processing. Patients and NHS numbers come first: they change
// other names, so a document that depends on many of these is rekeyed once. An entry comes after those
// that it depends on (Entry.Depth), since a document that is rekeyed from outdated keys leaves the
// backlog too early. It is for one goroutine.
type Queue struct {
	backlog *Backlog
	heap    entryHeap
	known   map[string]bool
}

// NewQueue makes a queue of some names.
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

// Take removes the first names, at most n. It returns none when all have ended.
func (q *Queue) Take(n int) (names []string) {
	for len(names) < n && len(q.heap) > 0 {
		was := heap.Pop(&q.heap).(Entry)
		s, there := q.backlog.Get(was.Name)
		if there && s.Depth > was.Depth { // it depends on a deeper one now
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
