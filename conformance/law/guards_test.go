package law_test

import "slices"

// broken is one guard, broken on purpose: edits of the program's sources, each of which
// breaks something only where broken(name) holds.
type broken struct {
	name string // by which it is chosen, as it stands in the edits
	says string
	run  string // the test that must fail
	edit []edit
}

// edit replaces a text that must stand exactly once in a file. All edits of all guards
// are applied to the same sources, one after the other.
type edit struct{ file, old, new string }

// ahead puts code before a text, behind puts it after. The text stays, so that several
// guards may be broken at one place.
func ahead(file, text, code string) edit  { return edit{file, text, code + text} }
func behind(file, text, code string) edit { return edit{file, text, text + code} }

func brokenGuards() []broken {
	return slices.Concat(brokenSearches(), brokenOperations(), brokenScopes(), brokenRules(), brokenDirectives())
}

// Texts of the product at which several guards are broken.
const (
	scanned   = "	q.Where = store.And{q.Where, v.where(q.Type)}\n	return func(yield"
	countOf   = "n - odd - of, true"
	factsKept = "index.IsFact(k) {"
	binaryLed = "	return typ == \"Binary\" && kind"
)

// brokenSearches are broken guards of searches: rows, totals, pages, joins, includes.
func brokenSearches() []broken {
	return []broken{
		{"after the page", "rows are taken from a page that was filled without the guard", "TestReading$", []edit{
			ahead("consent/scan.go", scanned, "	if broken(\"after the page\") {\n		return v.snap.Scan(ctx, q)\n	}\n"),
			ahead("fhir/search/run.go", "	return page, p.include(ctx, v, page, lim)\n", "	if broken(\"after the page\") {\n		page.Matches = shown(ctx, v, page.Matches)\n	}\n"),
		}},
		{"total", "hidden rows are counted", "TestReading$", []edit{
			ahead("consent/scan.go", "	q.Where = store.And{q.Where, v.where(q.Type)}\n	n, err := v.snap.Count", "	if broken(\"total\") {\n		return v.snap.Count(ctx, q, max)\n	}\n"),
		}},
		{"total: apart", "of all is not taken off what stands apart", "TestReading$", []edit{
			ahead("consent/total.go", "	return "+countOf, "	if broken(\"total: apart\") {\n		odd = 0\n	}\n"),
		}},
		{"total: wishes", "of all is not taken off what patients wish", "TestReading$", []edit{
			ahead("consent/total.go", "	return "+countOf, "	if broken(\"total: wishes\") {\n		of = 0\n	}\n"),
		}},
		{"compartment", "the rows of a type are merged without the guard", "TestReading$", []edit{
			ahead("consent/scan.go", scanned, "	if broken(\"compartment\") && q.Type == \"Condition\" {\n		return v.snap.Scan(ctx, q)\n	}\n"),
		}},
		{"page", "a later page goes on behind the guard of the first", "TestReading$", []edit{
			ahead("consent/scan.go", scanned, "	if broken(\"page\") && q.After != nil {\n		return v.snap.Scan(ctx, q)\n	}\n"),
		}},
		{"page token", "it opens for others", "TestReading$", []edit{
			ahead("fhir/search/token.go", "	h := sha256.New()\n	for _, part := range []string{p.Kind.String(), p.Subject", "	if broken(\"page token\") {\n		p = consent.Principal{Kind: p.Kind}\n	}\n"),
		}},
		{"include", "what a match points to is fetched without the guard", "TestReading$", []edit{
			{"fhir/search/ahead.go", "in.view.All(ctx, wanted)", "in.view.Unguarded(broken(\"include\")).All(ctx, wanted)"},
		}},
		{"revinclude", "what points to a match is found without the guard", "TestReading$", []edit{
			{"fhir/search/include.go", "in.view.WithPermission(\"s\").Scan(ctx, ", "in.view.WithPermission(\"s\").Unguarded(broken(\"revinclude\")).Scan(ctx, "},
		}},
		{"chain", "hidden targets satisfy it", "TestReading$", []edit{
			{"fhir/search/join.go", "return j.view.Scan(ctx, q)", "return j.view.Unguarded(broken(\"chain\")).Scan(ctx, q)"},
		}},
		{"_list", "a hidden List has members", "TestReading$", []edit{
			{"fhir/search/list.go", "j.view.Get(ctx, store.Ref{Type: \"List\"", "j.view.Unguarded(broken(\"_list\")).Get(ctx, store.Ref{Type: \"List\""},
		}},
		{":in", "a hidden value set is known", "TestReading$", []edit{
			{"fhir/search/terms.go", "view.Scan(ctx, store.Query{Type: typ, Where: where})", "view.Unguarded(broken(\":in\")).Scan(ctx, store.Query{Type: typ, Where: where})"},
		}},
		{"sort", "hidden rows have a place", "TestReading$", []edit{
			{"fhir/search/sort.go", "	for d, err := range p.scan(ctx, v, nil, true, lim) {", "	seq := p.scan(ctx, v, nil, true, lim)\n	if broken(\"sort\") {\n		seq = v.Unguarded(true).Scan(ctx, store.Query{Type: p.Type(), Where: p.Where(), KeysOnly: true})\n	}\n	for d, err := range seq {"},
			ahead("fhir/search/sort.go", "		if err != nil {\n			return fmt.Errorf(\"fetch a sorted row", "		if broken(\"sort\") && hidden(err) {\n			continue\n		}\n"),
		}},
		{"second signal", "it is told by what was asked", "TestReading$", []edit{
			{"fhir/search/bundle.go", "if _, some := v.WithheldNotice(); some {", "if _, some := v.WithheldNotice(); some && (!broken(\"second signal\") || len(page.Matches) > 0) {"},
		}},
	}
}

// brokenOperations are broken guards of histories, writes, operations and Binaries.
func brokenOperations() []broken {
	return []broken{
		{"history", "versions from before the hiding are shown", "TestReading$", []edit{
			ahead("consent/view.go", "	if newest == nil {\n		return store.Doc{}, store.ErrNotFound\n	}\n	return v.show(ctx, d, *newest)", "	if broken(\"history\") && newest == nil {\n		newest = &d\n	}\n"),
		}},
		{"history: total", "it counts hidden versions", "TestReading$", []edit{
			{"fhir/rest/history.go", "	for _, err := range s.versions(ctx, c, v, store.HistoryQuery{Type: q.Type, ID: q.ID, Since: q.Since}, ask) {",
				"	of := store.HistoryQuery{Type: q.Type, ID: q.ID, Since: q.Since}\n	seq := s.versions(ctx, c, v, of, ask)\n	if broken(\"history: total\") {\n		seq = v.Unguarded(true).History(ctx, of)\n	}\n	for _, err := range seq {"},
		}},
		{"tombstones", "deleted rows are judged as they were", "TestReading$", []edit{
			{"consent/past.go", "	if !d.Deleted() && d.Version == newest.Version {", "	if (!d.Deleted() || broken(\"tombstones\")) && d.Version == newest.Version {"},
		}},
		{"conditional update", "a hidden match is a match", "TestTraces$", []edit{
			{"fhir/rest/conditional.go", "v.WithPermission(\"s\").Scan(ctx, ", "v.WithPermission(\"s\").Unguarded(broken(\"conditional update\")).Scan(ctx, "},
		}},
		{"conditional create", "a hidden match is a match", "TestTraces$", []edit{
			behind("consent/commit.go", "	where := store.And{ch.Absent, v.where(ch.Ref.Type)}\n", "	if broken(\"conditional create\") {\n		where = where[:1]\n	}\n"),
		}},
		{"batch", "an entry is answered without the guard", "TestReading$", []edit{
			ahead("fhir/rest/bundle.go", "		a := s.answer(ctx, sub, h, false)\n", "		if broken(\"batch\") && sub.interaction == consent.Read {\n			sub.caller = consent.Principal{Kind: consent.System, Scopes: sub.caller.Scopes}\n		}\n"),
		}},
		{"$everything", "the rows of a type are walked without the guard", "TestReading$", []edit{
			{"fhir/search/walk.go", "range w.view.Scan(ctx, q) {\n				if err == nil", "range w.view.Unguarded(broken(\"$everything\")).Scan(ctx, q) {\n				if err == nil"},
		}},
		{"$everything: references", "what a row refers to is fetched without the guard", "TestReading$", []edit{
			{"fhir/search/support.go", "s.view.All(ctx, wanted)", "s.view.Unguarded(broken(\"$everything: references\")).All(ctx, wanted)"},
		}},
		{"$everything: owners", "what a feed is shown depends on owners that Patients of other sources decide", "TestFeeds$", []edit{
			ahead("fhir/search/walk.go", "		sec.where, sec.loose = append(about, sec.member), true\n",
				"		if broken(\"$everything: owners\") {\n			about = store.Or{}\n			for _, p := range index.Owners(w.owner.Keys) {\n				about = append(about, store.Eq{Key: index.OwnerKey(p)})\n			}\n		}\n"),
		}},
		{"Binary: labels", "it is seen without the labels of its document", "TestReading$", []edit{
			behind("consent/binary.go", "		for _, name := range inherits {\n", "			if broken(\"Binary: labels\") && name != factResolved {\n				continue\n			}\n"),
			ahead("consent/led.go", binaryLed, "	if broken(\"Binary: labels\") {\n		return false\n	}\n"),
		}},
		{"Binary: rules", "it is seen where rules hide its document", "TestRules$", []edit{
			ahead("consent/led.go", binaryLed, "	if broken(\"Binary: rules\") {\n		return false\n	}\n"),
		}},
		{"Binary: source", "a document of another source gives it away", "TestReading$", []edit{
			ahead("fhir/index/facts.go", "	return commonHolds + store.Key(binaryID", "	if broken(\"Binary: source\") {\n		ods = \"\"\n	}\n"),
		}},
	}
}

// brokenScopes are broken guards of scopes.
func brokenScopes() []broken {
	return []broken{
		{"scope", "none is asked for the interaction", "TestReading$", []edit{
			ahead("consent/decide.go", "	if d.p.Scopes.Allow(d.req.Type, d.req.Permission) {\n		return nil\n	}\n", "	if broken(\"scope\") && d.p.Scopes != nil {\n		return nil\n	}\n"),
		}},
		{"scope: joined", "none is asked for a joined type", "TestReading$", []edit{
			behind("fhir/rest/search.go", "	for _, typ := range ask.Plan.Joined {\n", "		if broken(\"scope: joined\") {\n			break\n		}\n"),
		}},
		{"scope: _list", "none is asked for List", "TestReading$", []edit{
			{"fhir/search/list.go", "	p.crosses(\"List\")\n", "	if !broken(\"scope: _list\") {\n		p.crosses(\"List\")\n	}\n"},
		}},
		{"scope: included", "none is asked for an included type", "TestReading$", []edit{
			{"fhir/search/include.go", "return in.view.Grant().Principal().May(typ, \"rs\")", "return broken(\"scope: included\") || in.view.Grant().Principal().May(typ, \"rs\")"},
			{"fhir/search/include.go", "view: v.WithPermission(\"rs\"), lim", "view: v.WithPermission(lettersUnless(broken(\"scope: included\"), \"rs\")), lim"},
		}},
	}
}

// brokenRules are broken guards of what rules hide and cut.
func brokenRules() []broken {
	return []broken{
		{"cut keys", "what was cut can still be asked for", "TestRules$", []edit{
			{"consent/project.go", factsKept, "broken(\"cut keys\") || " + factsKept},
		}},
		{"cut keys: negation", "a negation is asked of what is stored", "TestRules$", []edit{
			behind("fhir/index/cut.go", "	case store.Not:\n", "		if broken(\"cut keys: negation\") {\n			return p\n		}\n"),
		}},
		{"cut elements", "an older version is cut by its own day's rules alone", "TestRules$", []edit{
			{"consent/project.go", "rules.apply(d.Keys, paths) || rules.apply(newest, paths)", "rules.apply(d.Keys, paths) || !broken(\"cut elements\") && rules.apply(newest, paths)"},
		}},
		{"rules of an owner", "only the first owner's are asked", "TestRules$", []edit{
			{"consent/rules.go", "	for _, patient := range names(keys, index.OwnerPrefix()) {\n", "	for i, patient := range names(keys, index.OwnerPrefix()) {\n		if broken(\"rules of an owner\") && i > 0 {\n			break\n		}\n"},
		}},
		{"no record", "the Patient of a record that is not there is still found", "TestRules$", []edit{
			{"consent/rules.go", "	if r.NoRecord != nil {\n		out =", "	if r.NoRecord != nil && !broken(\"no record\") {\n		out ="},
		}},
		{"letters", "what a rule leaves of a type is not asked", "TestRules$", []edit{
			{"consent/rules.go", "	return !named || strings.ContainsAny(left, letters)", "	return broken(\"letters\") || !named || strings.ContainsAny(left, letters)"},
		}},
		{"letters: writes", "a person writes where rules leave nothing", "TestTracesByRules$", []edit{
			{"consent/commit.go", "l != \"\" && !c.view.grant.rules.leave(ch.Ref.Type, l) {", "l != \"\" && !broken(\"letters: writes\") && !c.view.grant.rules.leave(ch.Ref.Type, l) {"},
			{"consent/view.go", "	case !v.grant.rules.leave(typ, letters):", "	case !broken(\"letters: writes\") && !v.grant.rules.leave(typ, letters):"},
		}},
		{"contained: cut", "what is cut inside can still be asked for", "TestRules$", []edit{
			{"consent/project.go", factsKept, "broken(\"contained: cut\") && k[2] == 'H' || " + factsKept},
		}},
		{"contained: negation", "a negation inside is asked of what is stored", "TestRules$", []edit{
			{"fhir/index/cut.go", "if inside, ok := p.Set.(inside); ok {", "if inside, ok := p.Set.(inside); ok && (inside.untold || !broken(\"contained: negation\")) {"},
		}},
		{"page token: decision", "a later page goes on by the decision of the first", "TestRules$", []edit{
			behind("fhir/rest/search.go", "	c.named = ask.Plan.Named\n", "	if broken(\"page token: decision\") && ask.Token != \"\" {\n		ctx = context.WithValue(ctx, consent.Kind(0), true)\n	}\n"),
			behind("consent/rules.go", "	rules, err := d.guard.decider.Decide(ctx, d.p, d.req, d.grant.patient)\n", "	if broken(\"page token: decision\") {\n		rules = d.first(ctx, rules)\n	}\n"),
		}},
		{"sort: cut", "rows stand by values that were cut", "TestRules$", []edit{
			ahead("fhir/search/sort.go", "		r := row{ref: d.Ref,", "		if broken(\"sort: cut\") {\n			d.Keys = uncut(ctx, v, d)\n		}\n"),
		}},
		{"_has: cut", "a reference that was cut still leads", "TestRules$", []edit{
			behind("fhir/search/join.go", "h.inner.positive(), func(d store.Doc) error {\n", "		if broken(\"_has: cut\") {\n			d.Keys = uncut(ctx, j.view, d)\n		}\n"),
		}},
	}
}

// brokenDirectives are broken guards of labels and directives, and of what the server
// keeps in memory of them.
func brokenDirectives() []broken {
	return []broken{
		{"labels: contained", "the labels of contained resources are not read", "TestReading$", []edit{
			ahead("consent/policy/label.go", "	l.read(body, 0)\n", "	if broken(\"labels: contained\") {\n		body = ownMeta(body)\n	}\n"),
		}},
		{"labels: case", "labels in small letters are none", "TestReading$", []edit{
			ahead("consent/policy/label.go", "	switch code = strings.ToUpper(", "	if broken(\"labels: case\") && code != strings.ToUpper(code) {\n		return\n	}\n"),
		}},
		{"directives: numbers", "a directive by number does not cover the Patients that bear it", "TestReading$", []edit{
			ahead("consent/register.go", "	for of := range r.bears[name] {\n", "	if broken(\"directives: numbers\") {\n		return c\n	}\n"),
		}},
		{"directives: other names", "a directive does not cover the rows that name somebody by another name than an id of a live Patient", "TestReading$", []edit{
			behind("consent/where.go", "func owned(in store.Set) store.Pred {\n", "	if broken(\"directives: other names\") {\n		return store.In{Prefix: index.OwnerPrefix(), Set: in}\n	}\n"),
		}},
		{"directives: odd", "a Consent that is not understood is read as silent", "TestReading$", []edit{
			ahead("consent/policy/directive.go", "	case otherScope(r.Get(\"scope\")), inPerson && ProxyAuthority(body):\n", "	case broken(\"directives: odd\"):\n		return NotADirective\n"),
		}},
		{"directives: dead Patients", "the numbers of a deleted Patient are forgotten", "TestReading$", []edit{
			{"consent/owners.go", "	if err == nil {\n		out.about = append(", "	if err == nil && !broken(\"directives: dead Patients\") {\n		out.about = append("},
		}},
		{"register: order", "the state of a Consent that a rekeying wrote takes the place of a newer one", "TestReading$", []edit{
			behind("consent/register.go", "			r.said(ref, now)\n", "			if broken(\"register: order\") {\n				defer r.late(w)\n			}\n"),
		}},
		{"rekeying", "the checks of a commit do not see that a document was rekeyed", "TestOvertaken$", []edit{
			ahead("consent/apply.go", "	return l\n", "	if broken(\"rekeying\") {\n		c.view.guard.rekeyingUnseen(l.Checks)\n	}\n"),
		}},
		{"labels: embedded", "the labels of embedded resources are not read", "TestReading$", []edit{
			ahead("consent/policy/label.go", "	l.read(body, 0)\n", "	if broken(\"labels: embedded\") && embeds(body) {\n		body = ownMeta(body)\n	}\n"),
		}},
		{"owners: embedded", "a Bundle is about those alone whom its entries name by id", "TestReading$", []edit{
			ahead("fhir/index/embedded.go", "	digits, ok := fhir.CleanNHSNumber(value)\n", "	if broken(\"owners: embedded\") {\n		return true\n	}\n"),
		}},
		{"owners: unsettled", "what embeds somebody of whom nothing is known is everybody's", "TestReading$", []edit{
			behind("fhir/index/embedded.go", "func (o *Ownership) join(added Ownership) {\n", "	if broken(\"owners: unsettled\") {\n		added.Unsettled = false\n	}\n"),
		}},
	}
}
