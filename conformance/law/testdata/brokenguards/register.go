package register

import (
	"sync"

	"carerecord/conformance/law/brokenguard"
	"carerecord/store"
)

func broken(name string) bool { return brokenguard.On(name) }

// rekeyed is what a rekeying has written of a document.
type rekeyed struct {
	r   *Register
	ref store.Ref
}

var rekeyings sync.Map

// late puts the entry that a rekeying wrote in place of the next version's. mu must be
// held.
func (r *Register) late(w *store.Write) {
	of := rekeyed{r, w.Doc.Ref}
	if w.Rekey {
		rekeyings.Store(of, statementOf(w.Doc))
		return
	}
	old, kept := rekeyings.LoadAndDelete(of)
	if !kept {
		return
	}
	r.count(r.statements[of.ref], -1)
	delete(r.statements, of.ref)
	if e := old.(statement); e.decides() {
		r.count(e, +1)
		r.statements[of.ref] = e
	}
}
