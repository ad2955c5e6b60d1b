package path

// collections looks up the functions of existence, filtering and combining (FHIRPath 5.1, 5.2,
// 5.4).
func collections(name string) (function, bool) {
	switch name {
	case "empty":
		return function{0, 0, func(_ *runner, c call) []Item { return []Item{boolItem(len(c.in) == 0)} }}, true
	case "exists":
		return function{0, 1, existing}, true
	case "all":
		return function{1, 1, func(r *runner, c call) []Item {
			for i, it := range c.in {
				if !c.condition(r, 0, it, i) {
					return no.items()
				}
			}
			return yes.items()
		}}, true
	case "allTrue":
		return truths(yes, true), true
	case "allFalse":
		return truths(no, true), true
	case "anyTrue":
		return truths(yes, false), true
	case "anyFalse":
		return truths(no, false), true
	case "not":
		return function{0, 0, func(r *runner, c call) []Item {
			switch r.truth(c.in) {
			case yes:
				return no.items()
			case no:
				return yes.items()
			case unknown:
			}
			return nil
		}}, true
	case "count":
		return function{0, 0, func(_ *runner, c call) []Item { return []Item{intItem(len(c.in))} }}, true
	case "distinct":
		return function{0, 0, func(r *runner, c call) []Item { return r.distinct(c.in) }}, true
	case "isDistinct":
		return function{0, 0, func(r *runner, c call) []Item {
			return []Item{boolItem(len(r.distinct(c.in)) == len(c.in))}
		}}, true
	case "subsetOf", "supersetOf":
		return function{1, 1, subset}, true
	case "where":
		return function{1, 1, filtered}, true
	case "select":
		return function{1, 1, func(r *runner, c call) []Item {
			var out []Item
			for i, it := range c.in {
				out = append(out, c.each(r, 0, it, i)...)
			}
			return out
		}}, true
	case "repeat":
		return function{1, 1, repeated}, true
	case "aggregate":
		return function{1, 2, aggregated}, true
	case "iif":
		return function{2, 3, either}, true
	}
	return function{}, false
}

func existing(r *runner, c call) []Item {
	if len(c.args) == 0 {
		return []Item{boolItem(len(c.in) > 0)}
	}
	return []Item{boolItem(len(filtered(r, c)) > 0)}
}

func filtered(r *runner, c call) []Item {
	var out []Item
	for i, it := range c.in {
		if c.condition(r, 0, it, i) {
			out = append(out, it)
		}
	}
	return out
}

// truths makes allTrue and similar functions: all values have to be want, or any.
func truths(want answer, all bool) function {
	return function{0, 0, func(r *runner, c call) []Item {
		for _, it := range c.in {
			b, ok := it.system()
			if !ok || b.kind != boolean {
				fail(Execution, "%s() is defined for booleans, not for a %s", c.name, it.TypeName())
			}
			if (answered(b.truth) == want) != all {
				return []Item{boolItem(!all)}
			}
		}
		return []Item{boolItem(all)}
	}}
}

func subset(r *runner, c call) []Item {
	small, large := c.in, c.arg(r, 0)
	if c.name == "supersetOf" {
		small, large = large, small
	}
	for _, it := range small {
		if !r.find(large, it) {
			return no.items()
		}
	}
	return yes.items()
}

// repeated adds the results of a projection until there are no new ones.
func repeated(r *runner, c call) []Item {
	var out []Item
	for todo := c.in; len(todo) > 0; {
		var next []Item
		for i, it := range todo {
			for _, found := range c.each(r, 0, it, i) {
				if found.kind == element && r.seen(out, found) || found.kind != element && r.find(out, found) {
					continue
				}
				found.open = true
				out, next = append(out, found), append(next, found)
			}
		}
		todo = next
	}
	return out
}

// seen reports whether the very same element is in a collection.
func (r *runner) seen(in []Item, it Item) bool {
	r.spend(len(in) / 16)
	for _, other := range in {
		if other.kind == element && other.at == it.at && other.twin == it.twin && other.doc == it.doc {
			return true
		}
	}
	return false
}

func aggregated(r *runner, c call) []Item {
	total := c.arg(r, 1)
	for i, it := range c.in {
		f := c.frame.on(it, i)
		f.total = total
		total = r.eval(c.args[0], f)
	}
	return total
}

func either(r *runner, c call) []Item {
	f := c.frame
	if c.base != nil {
		switch len(c.in) {
		case 0:
		case 1:
			f = f.on(c.in[0], 0)
		default:
			fail(Execution, "iif() is defined for one value, but there are %d", len(c.in))
		}
	}
	cond := r.eval(c.args[0], f)
	it, ok := r.one(cond)
	if len(cond) > 0 && (!ok || it.kind != boolean) {
		fail(Semantic, "the condition of iif() is a %s, not a boolean", cond[0].TypeName())
	}
	switch {
	case ok && it.truth:
		return r.eval(c.args[1], f)
	case len(c.args) == 3:
		return r.eval(c.args[2], f)
	}
	return nil
}
