package law_test

import "slices"

// brokenGuard is a guard that is broken on purpose by code that is inserted at anchors (//law:NAME) in the
// program's sources. The code has an effect only if broken(name) is true.
type brokenGuard struct {
	name       string // selects the guard; every insertion tests it
	mistake    string // the effect of the inserted code
	test       string // the test that must fail
	insertions []insertion
}

// insertion is code that replaces the line //law:anchor, which is unique in the program. Several insertions at
// one anchor are in the order of the guards.
type insertion struct{ anchor, code string }

func brokenGuards() []brokenGuard {
	return slices.Concat(brokenSearches(), brokenOperations(), brokenScopes(), brokenLetters(), brokenRules(), brokenDirectives(), brokenPersons())
}

// brokenSearches returns broken guards of searches: rows, totals, pages, joins, includes.
func brokenSearches() []brokenGuard {
	return []brokenGuard{
		{"after the page", "rows are removed from a page that was filled without the guard", "TestReading$", []insertion{
			{"view-scan", `if broken("after the page") { return v.snap.Scan(ctx, q) }`},
			{"page-filled", `if broken("after the page") { page.Matches = shown(ctx, v, page.Matches) }`},
		}},
		{"total", "hidden rows are counted", "TestReading$", []insertion{
			{"view-count", `if broken("total") { return v.snap.Count(ctx, q, max) }`},
		}},
		{"total: irregular", "a count by complement does not subtract irregular documents", "TestReading$", []insertion{
			{"count-by-complement", `if broken("total: irregular") { hiddenIrregular = 0 }`},
		}},
		{"total: directives", "a count by complement does not subtract the documents that directives hide", "TestReading$", []insertion{
			{"count-by-complement", `if broken("total: directives") { hiddenInPartitions = 0 }`},
		}},
		{"compartment", "the rows of one type are merged without the guard", "TestReading$", []insertion{
			{"view-scan", `if broken("compartment") && q.Type == "Condition" { return v.snap.Scan(ctx, q) }`},
		}},
		{"page", "a later page is read without the guard", "TestReading$", []insertion{
			{"view-scan", `if broken("page") && q.After != nil { return v.snap.Scan(ctx, q) }`},
		}},
		{"page token", "a page token opens for other callers", "TestReading$", []insertion{
			{"token-caller", `if broken("page token") { p = consent.Principal{Kind: p.Kind} }`},
		}},
		{"include", "the resources that a match refers to are fetched without the guard", "TestReading$", []insertion{
			{"include-read", `if broken("include") { in = in.open() }`},
		}},
		{"revinclude", "the resources that refer to a match are found without the guard", "TestReading$", []insertion{
			{"revinclude-scan", `in := in; if broken("revinclude") { in = in.open() }`},
		}},
		{"chain", "hidden targets satisfy a chain", "TestReading$", []insertion{
			{"chain-scan", `if broken("chain") { return e.view.Open().Scan(ctx, q) }`},
		}},
		{"_list", "a hidden List has members", "TestReading$", []insertion{
			{"list-read", `if broken("_list") { e = e.open() }`},
		}},
		{":in", "a hidden value set is expanded", "TestReading$", []insertion{
			{"terms-scan", `if broken(":in") { view = view.Open() }`},
		}},
		{"sort", "hidden rows take a position in the order", "TestReading$", []insertion{
			{"sort-scan", `if broken("sort") { x = x.open() }`},
			{"sort-fetched", `if broken("sort") && hidden(err) { continue }`},
		}},
		{"second signal", "whether rows were withheld is reported only where a row matched", "TestReading$", []insertion{
			{"withheld-notice", `if broken("second signal") && len(page.Matches) == 0 { v = v.Open() }`},
		}},
	}
}

// brokenOperations returns broken guards of histories, writes, operations and Binaries.
func brokenOperations() []brokenGuard {
	return []brokenGuard{
		{"history", "versions from before a document was hidden are shown", "TestReading$", []insertion{
			{"version-shown", `if broken("history") && newest == nil { newest = &d }`},
		}},
		{"history: total", "the total of a history counts hidden versions", "TestReading$", []insertion{
			{"history-count", `if broken("history: total") { v = v.Open() }`},
		}},
		{"tombstones", "deleted rows are judged by their keys at the time of the deletion", "TestReading$", []insertion{
			{"version-keys", `if broken("tombstones") && d.Version == newest.Version { return d, nil }`},
		}},
		{"conditional update", "a hidden match is a match", "TestTraces$", []insertion{
			{"criteria-scan", `if broken("conditional update") { v = v.Open() }`},
		}},
		{"conditional create", "a hidden match is a match", "TestTraces$", []insertion{
			{"criteria-absent", `if broken("conditional create") { where = where[:1] }`},
		}},
		{"batch", "an entry is answered without the guard", "TestReading$", []insertion{
			{"batch-entry", `if broken("batch") && sub.interaction == consent.Read {
				sub.caller = consent.Principal{Kind: consent.System, Scopes: sub.caller.Scopes}
			}`},
		}},
		{"$everything", "the rows of a type are read without the guard", "TestReading$", []insertion{
			{"everything-scan", `w := w; if broken("$everything") { w = w.open() }`},
		}},
		{"$everything: references", "the resources that a row refers to are fetched without the guard", "TestReading$", []insertion{
			{"everything-references", `if broken("$everything: references") { defer r.open()() }`},
		}},
		{"$everything: owners", "the answer to a source system depends on owners that Patients of other sources decide", "TestSourceSystems$", []insertion{
			{"everything-section", `if broken("$everything: owners") {
				about = store.Or{}
				for _, p := range index.Owners(w.owner.Keys) { about = append(about, store.Eq{Key: index.OwnerKey(p)}) }
			}`},
		}},
		{"Binary: labels", "a Binary does not inherit the labels of its document", "TestReading$", []insertion{
			{"binary-facts", `if broken("Binary: labels") && name != index.FactResolved { continue }`},
			{"binary-visible", `if broken("Binary: labels") { return false }`},
		}},
		{"Binary: rules", "a Binary is visible where rules hide its document", "TestRules$", []insertion{
			{"binary-visible", `if broken("Binary: rules") { return false }`},
		}},
		{"Binary: source", "a document of another source makes a Binary visible", "TestReading$", []insertion{
			{"attaches-key", `if broken("Binary: source") { ods = "" }`},
		}},
	}
}

// brokenScopes returns broken guards of scopes.
func brokenScopes() []brokenGuard {
	return []brokenGuard{
		{"scope", "the interaction needs no scope", "TestReading$", []insertion{
			{"scope-checked", `if broken("scope") && d.p.Scopes != nil { return nil }`},
		}},
		{"scope: joined", "a joined type needs no scope", "TestReading$", []insertion{
			{"joined-type", `if broken("scope: joined") { break }`},
		}},
		{"scope: _list", "_list needs no scope for List", "TestReading$", []insertion{
			{"list-joined", `if broken("scope: _list") { joined := p.query.Joined; defer func() { p.query.Joined = joined }() }`},
		}},
		{"scope: included", "an included type needs no scope", "TestReading$", []insertion{
			{"included-type", `if broken("scope: included") { return true }`},
			{"includer", `if broken("scope: included") { in.view = x.view.WithPermission("") }`},
		}},
		{"scope: constraint", "a search ignores the constraints and levels of scopes", "TestReading$", []insertion{
			{"scope-query", `if broken("scope: constraint") { return q }`},
		}},
		{"scope: constraint in a chain", "a joined type is not limited to the constraint of its scope", "TestReading$", []insertion{
			{"chain-scan", `if broken("scope: constraint in a chain") { return e.view.Unconstrained().Scan(ctx, q) }`},
		}},
		{"scope: constraint in _has", "the type that refers to a match is not limited to the constraint of its scope", "TestReading$", []insertion{
			{"has-scan", `if broken("scope: constraint in _has") { e = e.unconstrained() }`},
			{"has-implied", `if broken("scope: constraint in _has") { return nil, nil }`}, // rows that an index proposes are limited
			{"has-reverse", `if broken("scope: constraint in _has") { return nil, nil }`},
		}},
		{"scope: constraint in includes", "included resources are not limited to the constraint of their scope", "TestReading$", []insertion{
			{"include-read", `if broken("scope: constraint in includes") { in = in.unconstrained() }`},
		}},
		{"scope: constraint in totals", "a total counts what the constraint of a scope leaves out", "TestReading$", []insertion{
			{"scope-count", `if broken("scope: constraint in totals") && v.grant.principal.constrained() { return v.Unconstrained().Count(ctx, q, max) }`},
		}},
		{"scope: constraint of versions", "a history and the read of a version look at the newest version alone", "TestReading$", []insertion{
			{"scope-shown", `if broken("scope: constraint of versions") && d.Version != newest.Version { return d, nil }`},
		}},
		{"scope: context", "scopes of the level patient are not limited to the patient in context", "TestReading$", []insertion{
			{"scope-context", `if broken("scope: context") { return nil }`},
		}},
		{"scope: co-owners", "scopes of the level patient show what is about another patient too", "TestReading$", []insertion{
			{"scope-owners", `if broken("scope: co-owners") { own = ownedBy(o.group) }`},
		}},
		{"scope: union", "what one scope permits must satisfy the constraints of the others too", "TestReading$", []insertion{
			{"scope-union", `if broken("scope: union") && len(union) > 1 { return store.And(union) }`},
		}},
	}
}

// brokenLetters returns broken guards of the letters r and s, of which one type has other constraints.
func brokenLetters() []brokenGuard {
	return []brokenGuard{
		{"letter: search", "what may be read and not searched is found", "TestReadingByLetter$", []insertion{
			{"search-letter", `if broken("letter: search") { v = v.WithPermission("rs") }`},
		}},
		{"letter: join", "rows that may be read and not searched satisfy chains, _has and _list", "TestReadingByLetter$", []insertion{
			{"join-letter", `if broken("letter: join") { v = v.EitherLetter() }`},
		}},
		{"letter: _revinclude", "rows that refer to a match are included that may be read and not searched", "TestReadingByLetter$", []insertion{
			{"revinclude-scan", `if broken("letter: _revinclude") { in = in.eitherLetter() }`},
		}},
		{"letter: $everything", "rows that may be read and not searched are in $everything", "TestReadingByLetter$", []insertion{
			{"everything-letter", `if broken("letter: $everything") { w.view = v.WithPermission("rs") }`},
		}},
		{"letter: read", "what may be searched and not read is read", "TestReadingByLetter$", []insertion{
			{"scope-shown", `if broken("letter: read") && v.permissions == "r" { v = v.WithPermission("rs") }`},
		}},
	}
}

// brokenRules returns broken guards of the rules that hide documents and cut elements.
func brokenRules() []brokenGuard {
	return []brokenGuard{
		{"cut keys", "values that were cut can still be searched", "TestRules$", []insertion{
			{"projection-keys", `if broken("cut keys") { keys = append(keys, k); continue }`},
		}},
		{"cut keys: negation", "a negation is evaluated on the stored keys", "TestRules$", []insertion{
			{"negation-cut", `if broken("cut keys: negation") { return p }`},
		}},
		{"cut elements", "an older version is cut only by the rules for its own keys", "TestRules$", []insertion{
			{"projection-rules", `if broken("cut elements") { newest = nil }`},
		}},
		{"rules of an owner", "only the rules of the first owner apply", "TestRules$", []insertion{
			{"owner-rules", `if broken("rules of an owner") && patient != index.Names(keys, index.OwnerPrefix())[0] { break }`},
		}},
		{"no record", "the Patient of a withheld record is still found", "TestRules$", []insertion{
			{"no-record", `if broken("no record") { return out }`},
		}},
		{"permissions", "the permissions that rules leave on a type are ignored", "TestRules$", []insertion{
			{"permissions-left", `if broken("permissions") { return true }`},
		}},
		{"permissions: writes", "a person writes where rules leave no permission", "TestTracesByRules$", []insertion{
			{"write-permission", `if broken("permissions: writes") { c.view = c.view.allPermitted() }`},
			{"type-permission", `if broken("permissions: writes") && v.permissions == "" { v = v.allPermitted() }`},
		}},
		{"contained: cut", "values cut from a contained resource can still be searched", "TestRules$", []insertion{
			{"projection-keys", `if broken("contained: cut") && k[2] == 'H' { keys = append(keys, k); continue }`},
		}},
		{"contained: negation", "a negation inside a contained resource is evaluated on the stored keys", "TestRules$", []insertion{
			{"contained-cut", `if in, ok := p.Set.(containedMatch); ok && !in.matchUnknown && broken("contained: negation") { return x.ifMonotone(typ, p.Prefix, p) }`},
		}},
		{"page token: decision", "a later page keeps the decision of the first", "TestRules$", []insertion{
			{"page-decision", `if broken("page token: decision") && request.Token != "" { ctx = context.WithValue(ctx, consent.Kind(0), true) }`},
			{"rules-decided", `if broken("page token: decision") { rules = d.first(ctx, rules) }`},
		}},
		{"sort: cut", "rows are sorted by values that were cut", "TestRules$", []insertion{
			{"sort-row", `if broken("sort: cut") { d.Keys = uncut(ctx, x.view, d) }`},
		}},
		{"_has: cut", "a reference that was cut still satisfies _has", "TestRules$", []insertion{
			{"has-target", `if broken("_has: cut") { d.Keys = uncut(ctx, e.view, d) }`},
		}},
	}
}

// brokenDirectives returns broken guards of labels and directives, and of the memory that is built from them.
func brokenDirectives() []brokenGuard {
	return []brokenGuard{
		{"labels: contained", "the labels of contained resources are not read", "TestReading$", []insertion{
			{"labels-read", `if broken("labels: contained") { body = ownMeta(body) }`},
		}},
		{"labels: case", "labels in small letters are ignored", "TestReading$", []insertion{
			{"label-code", `if broken("labels: case") && code != strings.ToUpper(code) { return }`},
		}},
		{"directives: numbers", "a directive by number does not cover the Patients with that number", "TestReading$", []insertion{
			{"bearers-covered", `if broken("directives: numbers") { return c }`},
		}},
		{"directives: other names", "a directive does not cover rows that name the person otherwise than by the id of a live Patient", "TestReading$", []insertion{
			{"names-covered", `if broken("directives: other names") { return store.In{Prefix: index.OwnerPrefix(), Set: in} }`},
		}},
		{"directives: not understood", "a Consent that is not understood is no directive", "TestReading$", []insertion{
			{"directive-scope", `case broken("directives: not understood"):
				return NotADirective`},
		}},
		{"directives: dead Patients", "the numbers of a deleted Patient are forgotten", "TestReading$", []insertion{
			{"dead-patient", `if broken("directives: dead Patients") { return out, nil }`},
		}},
		{"register: order", "the register takes the state that a rekeying wrote over a newer one", "TestReading$", []insertion{
			{"register-said", `if broken("register: order") { defer r.late(w) }`},
		}},
		{"rekeying", "the checks of a commit do not see that a document was rekeyed", "TestOvertaking$", []insertion{
			{"checks-made", `if broken("rekeying") { c.view.guard.rekeyingUnseen(prepared.Checks) }`},
		}},
		{"labels: embedded", "the labels of embedded resources are not read", "TestReading$", []insertion{
			{"labels-read", `if broken("labels: embedded") && embeds(body) { body = ownMeta(body) }`},
		}},
		{"owners: embedded", "a Bundle is only about the Patients that its entries name by id", "TestReading$", []insertion{
			{"embedded-number", `if broken("owners: embedded") { return true }`},
		}},
		{"owners: unsettled", "a document that embeds an unknown person is visible to every source", "TestReading$", []insertion{
			{"ownership-join", `if broken("owners: unsettled") { added.Unsettled = false }`},
		}},
	}
}

// brokenPersons returns broken guards of persons: who they are, which rows are about them, and whom a statement covers.
func brokenPersons() []brokenGuard {
	return []brokenGuard{
		{"refusal by id alone", "a directive covers the id or the number that it names, and no other name of the person", "TestReading$", []insertion{
			{"number-covered", `if broken("refusal by id alone") { return c }`},
		}},
		{"refusal: same number", "a directive by id does not cover the other Patients with a number of the Patient", "TestReading$", []insertion{
			{"same-number-covered", `if broken("refusal: same number") { continue }`},
		}},
		{"persons: contradicted", "a contradicted Patient is shown", "TestReading$", []insertion{
			{"patient-contradicted", `if broken("persons: contradicted") { state.Contradicted = false }`},
		}},
		{"persons: contradicted and named", "a request that names a contradicted Patient of another source gets a notice", "TestReading$", []insertion{
			{"contradicted-absent", `if broken("persons: contradicted and named") { return false }`},
		}},
		{"persons: no Patient", "rows by number without a Patient are shown", "TestReading$", []insertion{
			{"unknown-person", `if broken("persons: no Patient") { return nothing }`},
		}},
		{"persons: untraced", "a Patient's number is believed from an untraced source", "TestReading$", []insertion{
			{"number-source", `if broken("persons: untraced") && !i.Traces(source) { source = i.Traced[0] }`},
		}},
		{"persons: number beside the id", "the number in a reference with an id is ignored", "TestReading$", []insertion{
			{"number-beside", `if broken("persons: number beside the id") { return ownership{resolved: true}, nil }`},
		}},
		{"persons: grouped before the guard", "the Patients of a person are grouped before the guard hides some of them", "TestReading$", []insertion{
			{"persons-grouped", `if broken("persons: grouped before the guard") { x = x.open() }`},
		}},
		{"persons: best among hidden", "a person is left out if the best Patient is hidden", "TestReading$", []insertion{
			{"persons-best", `if broken("persons: best among hidden") { patients = x.withoutBetterHidden(patients) }`},
		}},
		{"persons: placed by person", "a row is in the partition of the person, also if another source has the Patient", "TestSourceSystems$", []insertion{
			{"home-patient", `if broken("persons: placed by person") {
				if p, err := reader.Newest(ctx, store.Ref{Type: "Patient", ID: o.Patients[0]}); err == nil && !p.Deleted() && len(index.Owners(p.Keys)) == 1 { return index.Owners(p.Keys)[0], "", nil }
			}`},
		}},
		{"persons: superseded by hidden Patients", "a hidden Patient of the patient index joins two persons", "TestReading$", []insertion{
			{"group-shown", `if broken("persons: superseded by hidden Patients") { return v.guard.groupOf(ctx, v.snap, person) }`},
		}},
		{"persons: refusal under the other number", "a directive does not cover the number that supersedes another, or is superseded", "TestReading$", []insertion{
			{"tied-covered", `if broken("persons: refusal under the other number") && r.isIndexTie(identifier) { continue }`},
		}},
		{"persons: own rows", "an own row brings all Patients of a person who opted out", "TestReading$", []insertion{
			{"patient-named", `if broken("persons: own rows") { named.Set = facts.SetFunc(func(string) bool { return true }) }`},
		}},
	}
}
