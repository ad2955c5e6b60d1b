package search

import (
	"context"
	"iter"
	"slices"

	"carerecord/store"
)

// pass is one way through a flow, from a place on. It is for one goroutine; stop ends
// it.
type pass struct {
	flow
	at    *store.RowID // all rows up to here were yielded; nil for none
	far   *far         // nil where there is none
	yield func(store.Doc) bool

	near    cursor[store.Doc]
	speeds  [2]speed // of the near way and of the far one
	looked  int      // documents up to which a hop was looked at
	stopped bool     // nobody wants more
	ended   bool     // there is no more
}

// speed is how far a way has come, and the documents that it looked at for it.
type speed struct {
	places float64
	docs   int
}

func (s speed) beats(other speed) bool {
	return s.places*float64(other.docs) >= other.places*float64(s.docs)
}

func (p *pass) stop() {
	p.near.stop()
	if p.far != nil {
		p.far.stop()
	}
}

// run goes through the flow, in stretches of the better way.
func (p *pass) run(ctx context.Context) error {
	near, far := p.j.first(), max(1, p.j.first()/4)
	if p.far != nil && p.far.loose == nil && p.want > 0 {
		far = p.want // each Patient is a row
	}
	for turn := 0; !p.ended && !p.stopped; turn++ {
		if err := p.look(ctx, turn); err != nil {
			return err
		}
		byFar := p.far != nil
		switch {
		case !byFar:
		case turn == 0:
			byFar = !p.drives
		case p.speeds[1].docs == 0:
		case p.speeds[0].docs == 0:
			byFar = p.speeds[1].docs < 4*p.j.first() // the whole type is not walked for a page that is nearly full
		default:
			byFar = p.speeds[1].beats(p.speeds[0])
		}
		var err error
		if byFar {
			err = p.stretchFar(ctx, far)
			far = min(p.far.growth()*far, p.j.most())
		} else {
			err = p.stretchNear(ctx, near)
			near = min(2*near, p.j.most())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// look narrows the question by hops that few documents satisfy: by such as a glance
// shows, before anything else where nothing drives, and by all that an index can drive
// by when many documents have not filled the page.
func (p *pass) look(ctx context.Context, turn int) error {
	glance, gaze := p.j.first(), min(p.j.most(), fewDriven)
	most := p.looked
	switch {
	case p.looked == 0 && (turn > 0 || !p.drives && p.far == nil):
		most = glance
	case p.looked == glance && p.speeds[0].docs+p.speeds[1].docs >= 2*p.j.most():
		most = gaze
	}
	if most == p.looked {
		return nil
	}
	p.looked = most
	for i, n := range p.nodes {
		if p.far != nil && p.far.node == i {
			continue // it is asked from there anyhow
		}
		pred, err := p.implied(ctx, n, most)
		if err != nil {
			return err
		}
		if pred != nil {
			p.where = append(slices.Clone(p.where), pred)
			p.drives, p.looked, p.speeds = true, gaze, [2]speed{}
			p.near.stop()
			if p.far != nil {
				p.far.stop()
			}
		}
	}
	return nil
}

// come notes how far a way has come with so many documents.
func (p *pass) come(way int, to store.RowID, docs int) {
	from := store.Partition(0)
	if p.at != nil {
		from = p.at.Partition
	}
	p.speeds[way].places += float64(to.Partition - from)
	p.speeds[way].docs += docs
	p.at = &to
}

// stretchNear takes the next n documents that the question proposes, and follows the
// hops from them.
func (p *pass) stretchNear(ctx context.Context, n int) error {
	p.near.begin(p.at, func() iter.Seq2[store.Doc, error] { return p.scan(ctx, p.at, nil) })
	docs := make([]store.Doc, 0, n)
	for len(docs) < n {
		d, err, more := p.near.next()
		if err != nil {
			return err
		}
		if !more {
			p.ended = true
			break
		}
		docs = append(docs, d)
	}
	if len(docs) == 0 {
		return nil
	}
	last := docs[len(docs)-1].RowID
	fit, err := p.j.satisfying(ctx, docs, p.nodes)
	if err != nil {
		return err
	}
	for _, d := range fit {
		if p.stopped = !p.yield(d); p.stopped {
			return nil
		}
	}
	p.come(0, last, n)
	p.near.at = p.at
	return nil
}

// stretchFar takes the next n Patients at the far end, and what of the question is in
// their places.
func (p *pass) stretchFar(ctx context.Context, n int) error {
	s, err := p.far.stretch(ctx, p.at, n)
	if err != nil {
		return err
	}
	docs := s.met
	nodes := slices.Delete(slices.Clone(p.nodes), p.far.node, p.far.node+1)
	for d, err := range p.j.follow(ctx, counted(s.rows, &docs), nodes) {
		if err != nil {
			return err
		}
		if p.stopped = !p.yield(d); p.stopped {
			return nil
		}
	}
	if s.to == nil {
		p.ended = true
		return nil
	}
	p.come(1, *s.to, docs)
	return nil
}

// counted counts documents as they come.
func counted(docs iter.Seq2[store.Doc, error], n *int) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		for d, err := range docs {
			*n++
			if !yield(d, err) {
				return
			}
		}
	}
}
