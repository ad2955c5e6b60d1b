package path

// collectionFunctions looks up the functions of existence, filtering and combining (FHIRPath 5.1, 5.2,
// 5.4).
func collectionFunctions(name string) (function, bool) {
	switch name {
	case "empty":
		return function{0, 0, func(_ *runner, c call) []Item { return []Item{boolItem(len(c.in) == 0)} }}, true
	case "exists":
		return function{0, 1, evalExists}, true
	case "all":
		return function{1, 1, func(r *runner, c call) []Item {
			for i, it := range c.in {
				if !c.conditionHolds(r, 0, it, i) {
					return no.items()
				}
			}
			return yes.items()
		}}, true
	case "allTrue":
		return allOrAny(yes, true), true
	case "allFalse":
		return allOrAny(no, true), true
	case "anyTrue":
		return allOrAny(yes, false), true
	case "anyFalse":
		return allOrAny(no, false), true
	case "not":
		return function{0, 0, func(r *runner, c call) []Item {
			switch r.singleBoolean(c.in) {
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
		return function{1, 1, evalSubsetOf}, true
	case "where":
		return function{1, 1, evalWhere}, true
	case "select":
		return function{1, 1, func(r *runner, c call) []Item {
			var out []Item
			for i, it := range c.in {
				out = append(out, c.evalOn(r, 0, it, i)...)
			}
			return out
		}}, true
	case "repeat":
		return function{1, 1, evalRepeat}, true
	case "aggregate":
		return function{1, 2, evalAggregate}, true
	case "iif":
		return function{2, 3, evalIif}, true
	}
	return function{}, false
}

func evalExists(r *runner, c call) []Item {
	if len(c.args) == 0 {
		return []Item{boolItem(len(c.in) > 0)}
	}
	return []Item{boolItem(len(evalWhere(r, c)) > 0)}
}

func evalWhere(r *runner, c call) []Item {
	var out []Item
	for i, it := range c.in {
		if c.conditionHolds(r, 0, it, i) {
			out = append(out, it)
		}
	}
	return out
}

// allOrAny makes allTrue, anyTrue, allFalse and anyFalse: they report whether all values are want, or
// any value is.
func allOrAny(want tristate, all bool) function {
	return function{0, 0, func(r *runner, c call) []Item {
		for _, it := range c.in {
			b, ok := it.systemValue()
			if !ok || b.kind != boolean {
				fail(Execution, "%s() is defined for booleans, not for a %s", c.name, it.TypeName())
			}
			if (tristateOf(b.boolean) == want) != all {
				return []Item{boolItem(!all)}
			}
		}
		return []Item{boolItem(all)}
	}}
}

func evalSubsetOf(r *runner, c call) []Item {
	small, large := c.in, c.arg(r, 0)
	if c.name == "supersetOf" {
		small, large = large, small
	}
	for _, it := range small {
		if !r.contains(large, it) {
			return no.items()
		}
	}
	return yes.items()
}

// evalRepeat applies a projection to the input and then to its results, until no result is new.
func evalRepeat(r *runner, c call) []Item {
	var out []Item
	for todo := c.in; len(todo) > 0; {
		var next []Item
		for i, it := range todo {
			for _, found := range c.evalOn(r, 0, it, i) {
				if found.kind == element && r.containsElement(out, found) || found.kind != element && r.contains(out, found) {
					continue
				}
				found.dynamic = true
				out, next = append(out, found), append(next, found)
			}
		}
		todo = next
	}
	return out
}

// containsElement reports whether a collection contains an element, by its position in the resource.
func (r *runner) containsElement(in []Item, it Item) bool {
	r.spend(len(in) / 16)
	for _, other := range in {
		if other.kind == element && other.nodeIndex == it.nodeIndex && other.underscore == it.underscore && other.doc == it.doc {
			return true
		}
	}
	return false
}

func evalAggregate(r *runner, c call) []Item {
	total := c.arg(r, 1)
	for i, it := range c.in {
		f := c.frame.withThis(it, i)
		f.total = total
		total = r.eval(c.args[0], f)
	}
	return total
}

func evalIif(r *runner, c call) []Item {
	f := c.frame
	if c.base != nil {
		switch len(c.in) {
		case 0:
		case 1:
			f = f.withThis(c.in[0], 0)
		default:
			fail(Execution, "iif() is defined for one value, but there are %d", len(c.in))
		}
	}
	cond := r.eval(c.args[0], f)
	it, ok := r.singleton(cond)
	if len(cond) > 0 && (!ok || it.kind != boolean) {
		fail(Semantic, "the condition of iif() is a %s, not a boolean", cond[0].TypeName())
	}
	switch {
	case ok && it.boolean:
		return r.eval(c.args[1], f)
	case len(c.args) == 3:
		return r.eval(c.args[2], f)
	}
	return nil
}
