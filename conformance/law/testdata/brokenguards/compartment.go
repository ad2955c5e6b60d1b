package compartment

import (
	"carerecord/conformance/law/brokenguard"
)

func broken(name string) bool { return brokenguard.On(name) }

// open returns the walk with an unguarded View.
func (w *walk) open() *walk {
	out := *w
	out.view = w.view.Open()
	return &out
}

// open gives the references an unguarded View until the returned function is called.
func (r *references) open() (restore func()) {
	guarded := r.view
	r.view = guarded.Open()
	return func() { r.view = guarded }
}
