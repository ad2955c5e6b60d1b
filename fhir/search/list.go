package search

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
	"carerecord/store"
)

// listed asks for members of a type of one of some Lists (SRCH-156). A List that
// is not there or not visible has none (SMART-283).
type listed struct {
	typ   string
	lists []string // ids
}

// list reads _list, for every part of the plan.
func (p *planner) list(param Param) error {
	if param.Modifier != "" {
		return notSupported(param, "is not supported")
	}
	values, err := p.values(param)
	if err != nil || len(values) == 0 {
		return err
	}
	var lists []string
	for _, value := range values {
		if strings.HasPrefix(value, "$") {
			return fhir.Fault(400, "not-supported", "The functional list %s is not supported: name a List by its id.", value)
		}
		if id := strings.TrimPrefix(value, "List/"); fhir.ValidID(id) {
			lists = append(lists, id)
		}
	}
	//law:list-joined
	p.crosses("List")
	for i, part := range p.plan.Types {
		p.add(i, listed{part.Type, lists})
	}
	p.plan.filters++
	p.plan.simple, p.plan.positive = false, true
	p.plan.Used = append(p.plan.Used, param)
	return nil
}

func (listed) positive() bool { return true }

func (l listed) resolve(ctx context.Context, j *joiner, _ *few) (store.Pred, error) {
	//law:list-read
	members := ids{}
	for _, id := range l.lists {
		d, err := j.view.Get(ctx, store.Ref{Type: "List", ID: id})
		if errors.Is(err, store.ErrNotFound) || err == nil && d.Deleted() {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read a list: %w", err)
		}
		gjson.GetBytes(d.Body, "entry").ForEach(func(_, entry gjson.Result) bool {
			ref, ok := fhir.ParseRef(j.view.Index().Base(), entry.Get("item.reference").Str)
			if ok && ref.Type == l.typ && !entry.Get("deleted").Bool() {
				members[ref.ID] = true
			}
			return true
		})
	}
	return j.view.Index().IDOneOf(l.typ, members, members.list())
}
