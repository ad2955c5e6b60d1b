package validate

import "bytes"

// twin reads the value of the twin of a primitive: an object, or an array of objects and null.
func (w *walker) twin(p *prop) {
	w.path = append(w.path, pathElement{p.element, -1})
	defer w.pop()
	switch c := w.peek(); {
	case c == '[' && p.repeats:
		w.twins()
		return
	case p.repeats:
		w.fault("structure", "_"+p.name+" must be an array, because "+p.name+" is one.")
	case c == '[':
		w.fault("structure", "_"+p.name+" must not be an array, because "+p.name+" is a single value.")
	case c == '{':
		w.object(w.table.element)
		return
	default:
		w.fault("structure", "_"+p.name+" must be an object with id and extension.")
	}
	w.skip()
}

func (w *walker) twins() {
	at := len(w.path) - 1
	w.pos++
	n := 0
	for ; w.next(n, ']'); n++ {
		w.path[at].index = n
		switch w.peek() {
		case '{':
			w.object(w.table.element)
		case 'n':
			w.null()
		default:
			w.fault("structure", "A position of this array must be null or an object with id and extension.")
			w.skip()
		}
	}
	w.path[at].index = -1
	if n == 0 {
		w.fault("structure", "The array is empty: leave the element out.")
	}
}

// pair compares the properties of an object with their twins: the lengths are equal, no position is
// null in both, and only one variant of a choice is given (REST-085, 087). It is called if there is
// a twin or a null, and reads the object again from its opening brace at from.
func (w *walker) pair(s *shape, from int) {
	r := reader{src: w.src, pos: from + 1}
	values, twins := map[*prop]elementValues{}, map[*prop]elementValues{}
	var order []*prop
	for n := 0; r.next(n, '}'); n++ {
		name := r.name()
		base, isTwin := bytes.CutPrefix(name, []byte("_"))
		into := values
		p := s.props[string(name)]
		if p == nil && isTwin {
			p, into = s.props[string(base)], twins
		}
		if p == nil || p.kind >= kindComplex {
			r.skip()
			continue
		}
		_, v := values[p]
		_, t := twins[p]
		if !v && !t {
			order = append(order, p)
		}
		into[p] = r.elementValues()
	}
	for _, p := range order {
		w.comparePair(p, values, twins)
	}
	w.mixedVariants(order, values, twins)
}

// elementValues describes each position of an array, or a single value.
type elementValues struct {
	array    bool
	contents []content
}

// content is the kind of one value.
type content byte

const (
	present content = iota
	null
	idOnly // an object with only an id
)

func (r *reader) elementValues() elementValues {
	if r.peek() != '[' {
		return elementValues{contents: []content{r.content()}}
	}
	f := elementValues{array: true}
	r.pos++
	for n := 0; r.next(n, ']'); n++ {
		f.contents = append(f.contents, r.content())
	}
	return f
}

// content skips a value and returns its kind.
func (r *reader) content() content {
	switch r.peek() {
	case 'n':
		r.skip()
		return null
	case '{':
		id, n := false, 0
		r.pos++
		for ; r.next(n, '}'); n++ {
			id = string(r.name()) == "id"
			r.skip()
		}
		if id && n == 1 {
			return idOnly
		}
		return present
	}
	r.skip()
	return present
}

func (w *walker) comparePair(p *prop, values, twins map[*prop]elementValues) {
	v, hasValue := values[p]
	t, hasTwin := twins[p]
	if !p.repeats && (v.array || t.array) {
		return // reported by the walk
	}
	if hasValue && hasTwin && v.array && t.array && len(v.contents) != len(t.contents) {
		w.faultBelow(p.element, "structure", p.name+" and _"+p.name+" have different lengths: use null for missing values.")
		return
	}
	for i := range max(len(v.contents), len(t.contents)) {
		if i < len(v.contents) && v.contents[i] != null || !v.array && !t.array && t.contents != nil && t.contents[0] == null {
			continue // has a value, or was reported by the walk
		}
		at := pathElement{p.element, -1}
		if v.array || t.array {
			at.index = i
		}
		w.path = append(w.path, at)
		switch {
		case i >= len(t.contents) || t.contents[i] == null:
			w.fault("structure", "Neither "+p.name+" nor _"+p.name+" has a value at this position: leave the position out.")
		case t.contents[i] == idOnly:
			w.fault("invariant", "The element has an id and nothing else (ele-1).")
		}
		w.pop()
	}
}

// mixedVariants reports a choice whose value and twin are of different variants. Two values of
// different variants are reported by the walk.
func (w *walker) mixedVariants(order []*prop, values, twins map[*prop]elementValues) {
	for i, p := range order {
		if !p.choice {
			continue
		}
		for _, q := range order[:i] {
			_, pv := values[p]
			_, qv := values[q]
			if q != p && q.bit == p.bit && !(pv && qv) {
				w.faultBelow(p.element, "structure", "More than one variant of "+p.element+"[x] is given: one is allowed.")
				return
			}
		}
	}
}
