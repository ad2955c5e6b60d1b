package join

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
	"carerecord/store"
)

// ListMembers matches members of one of some Lists (SRCH-156). A List that does not exist or is
// hidden has no members (SMART-283).
type ListMembers struct {
	local
	Type  string   // of the members
	Lists []string // ids
}

// Affirms implements Node.
func (ListMembers) Affirms() bool           { return true }
func (ListMembers) drivable() bool          { return true }
func (l ListMembers) withInner([]Node) Node { return l }

func (l ListMembers) resolve(ctx context.Context, e *Executor, _ *candidates) (store.Pred, error) {
	//law:list-read
	members := idSet{}
	for _, id := range l.Lists {
		d, err := e.view.Get(ctx, store.Ref{Type: "List", ID: id})
		if errors.Is(err, store.ErrNotFound) || err == nil && d.Deleted() {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read a list: %w", err)
		}
		gjson.GetBytes(d.Body, "entry").ForEach(func(_, entry gjson.Result) bool {
			ref, ok := fhir.ParseRef(e.view.Index().Base(), entry.Get("item.reference").Str)
			if ok && ref.Type == l.Type && !entry.Get("deleted").Bool() {
				members[ref.ID] = true
			}
			return true
		})
	}
	return e.view.Index().IDOneOf(l.Type, members, members.list())
}

// Explain implements Node.
func (ListMembers) Explain() ExplainNode {
	return ExplainNode{Kind: "_list", Type: "List", Permission: "s", Detail: "read by id; each member is decided on its own"}
}
