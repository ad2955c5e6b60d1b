package path

// singleBoolean returns the value of a condition: unknown for an empty collection, true for one value
// that is not a boolean (FHIRPath 5.5, singleton evaluation).
func (r *runner) singleBoolean(in []Item) tristate {
	it, ok := r.singleton(in)
	switch {
	case len(in) == 0:
		return unknown
	case !ok || it.kind != boolean:
		return yes
	}
	return tristateOf(it.boolean)
}

func (r *runner) logic(t *term, f frame) []Item {
	a := r.singleBoolean(r.eval(t.args[0], f))
	switch {
	case t.op == "and" && a == no:
		return no.items()
	case t.op == "or" && a == yes, t.op == "implies" && a == no:
		return yes.items()
	}
	b := r.singleBoolean(r.eval(t.args[1], f))
	out := unknown
	switch t.op {
	case "and":
		if b == no || a == yes {
			out = b
		}
	case "or":
		if b == yes || a == no {
			out = b
		}
	case "xor":
		if a != unknown && b != unknown {
			out = tristateOf(a != b)
		}
	case "implies":
		if b == yes || a == yes {
			out = b
		}
	}
	return out.items()
}
