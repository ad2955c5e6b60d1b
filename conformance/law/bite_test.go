package law_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// broken is one guard, broken on purpose: texts of the program that are
// replaced by others when the tests are built.
type broken struct {
	name string
	run  string // the test that must fail
	edit []edit
}

// edit replaces a text that must stand exactly once in a file.
type edit struct{ file, old, new string }

func brokenGuards() []broken {
	return []broken{
		{"after the page: rows are taken from a page that was filled without the guard", "TestReading$", []edit{
			{"consent/scan.go", "	q.Where = store.And{q.Where, v.where(q.Type)}\n	return func(yield", "	return func(yield"},
			{"fhir/search/run.go", "	\"iter\"\n", "	\"iter\"\n	\"slices\"\n"},
			{"fhir/search/run.go", "	return page, p.include(ctx, v, page, lim)\n", "	page.Matches = slices.DeleteFunc(page.Matches, func(d store.Doc) bool { _, err := v.Get(ctx, d.Ref); return err != nil })\n	return page, p.include(ctx, v, page, lim)\n"},
		}},
		{"total: hidden rows are counted", "TestReading$", []edit{
			{"consent/scan.go", "	q.Where = store.And{q.Where, v.where(q.Type)}\n	n, err := v.snap.Count", "	n, err := v.snap.Count"},
		}},
		{"total: of all is not taken off what stands apart", "TestReading$", []edit{
			{"consent/total.go", "n - odd - of, true", "n - of, true"},
		}},
		{"total: of all is not taken off what patients wish", "TestReading$", []edit{
			{"consent/total.go", "n - odd - of, true", "n - odd - 0*of, true"},
		}},
		{"compartment: the rows of a type are merged without the guard", "TestReading$", []edit{
			{"consent/scan.go", "	q.Where = store.And{q.Where, v.where(q.Type)}\n	return func(yield", "	if q.Type != \"Condition\" {\n		q.Where = store.And{q.Where, v.where(q.Type)}\n	}\n	return func(yield"},
		}},
		{"conditional update: a hidden match is a match", "TestTraces$", []edit{
			{"fhir/rest/conditional.go", "v.With(\"s\").Scan(ctx, store.Query{Type: plan.Type(), Where: plan.Where(), KeysOnly: true})", "v.RawScan(ctx, store.Query{Type: plan.Type(), Where: plan.Where(), KeysOnly: true})"},
			{"consent/view.go", "// Grant returns the decision", "func (v *View) RawScan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] { return v.snap.Scan(ctx, q) }\n\n// Grant returns the decision"},
		}},
		{"history: versions from before the hiding are shown", "TestReading$", []edit{
			{"consent/view.go", "	if newest == nil {\n		return store.Doc{}, store.ErrNotFound\n	}\n	return v.show(ctx, d, *newest)", "	if newest == nil {\n		newest = &d\n	}\n	return v.show(ctx, d, *newest)"},
		}},
		{"include: what a match points to is fetched without the guard", "TestReading$", []edit{
			{"fhir/search/ahead.go", "in.view.All(ctx, wanted)", "in.view.Raw(ctx, wanted)"},
			{"consent/view.go", "// Grant returns the decision", "func (v *View) Raw(ctx context.Context, refs []store.Ref) iter.Seq2[store.Doc, error] { return v.snap.All(ctx, refs) }\n\n// Grant returns the decision"},
		}},
		{"revinclude: what points to a match is found without the guard", "TestReading$", []edit{
			{"fhir/search/include.go", "in.view.With(\"s\").Scan(ctx, store.Query{Type: inc.Source, Where: any})", "in.view.RawScan(ctx, store.Query{Type: inc.Source, Where: any})"},
			{"consent/view.go", "// Grant returns the decision", "func (v *View) RawScan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] { return v.snap.Scan(ctx, q) }\n\n// Grant returns the decision"},
		}},
		{"$everything: the rows of a type are walked without the guard", "TestReading$", []edit{
			{"fhir/search/walk.go", "range w.view.Scan(ctx, q) {\n				if err == nil", "range w.view.RawScan(ctx, q) {\n				if err == nil"},
			{"consent/view.go", "// Grant returns the decision", "func (v *View) RawScan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] { return v.snap.Scan(ctx, q) }\n\n// Grant returns the decision"},
		}},
		{"$everything: what a feed is shown depends on owners that Patients of other sources decide", "TestFeeds$", []edit{
			{"fhir/search/walk.go", "		sec.where, sec.loose = append(about, sec.member), true\n",
				"		about = store.Or{}\n		for _, p := range index.Owners(w.owner.Keys) {\n			about = append(about, store.Eq{Key: index.OwnerKey(p)})\n		}\n		sec.where, sec.loose = append(about, sec.member), true\n"},
		}},
		{"$everything: what a row refers to is fetched without the guard", "TestReading$", []edit{
			{"fhir/search/support.go", "s.view.All(ctx, wanted)", "s.view.Raw(ctx, wanted)"},
			{"consent/view.go", "// Grant returns the decision", "func (v *View) Raw(ctx context.Context, refs []store.Ref) iter.Seq2[store.Doc, error] { return v.snap.All(ctx, refs) }\n\n// Grant returns the decision"},
		}},
		{"Binary: it is seen without the labels of its document", "TestReading$", []edit{
			{"consent/binary.go", "		for _, name := range inherits {\n", "		for _, name := range inherits[:1] {\n"},
			{"consent/led.go", "return typ == \"Binary\" && kind", "return typ == \"none\" && kind"},
		}},
		{"Binary: it is seen where rules hide its document", "TestRules$", []edit{
			{"consent/led.go", "return typ == \"Binary\" && kind", "return typ == \"none\" && kind"},
		}},
		{"Binary: a document of another source gives it away", "TestReading$", []edit{
			{"consent/binary.go", "return h.Source != d.Source", "return h.Source == \"\""},
		}},
		{"chain: hidden targets satisfy it", "TestReading$", []edit{
			{"fhir/search/join.go", "return j.view.Scan(ctx, q)", "return j.view.RawScan(ctx, q)"},
			{"consent/view.go", "// Grant returns the decision", "func (v *View) RawScan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] { return v.snap.Scan(ctx, q) }\n\n// Grant returns the decision"},
		}},
		{"_list: a hidden List has members", "TestReading$", []edit{
			{"fhir/search/list.go", "j.view.Get(ctx, store.Ref{Type: \"List\", ID: id})", "j.view.Raw(ctx, store.Ref{Type: \"List\", ID: id})"},
			{"consent/view.go", "// Grant returns the decision", "func (v *View) Raw(ctx context.Context, ref store.Ref) (store.Doc, error) { return v.snap.Get(ctx, ref) }\n\n// Grant returns the decision"},
		}},
		{"scope of _list: none is asked for", "TestReading$", []edit{
			{"fhir/search/list.go", "	p.crosses(\"List\")\n", ""},
		}},
		{":in: a hidden value set is known", "TestReading$", []edit{
			{"fhir/search/terms.go", "view.Scan(ctx, store.Query{Type: typ, Where: where})", "view.RawScan(ctx, store.Query{Type: typ, Where: where})"},
			{"consent/view.go", "// Grant returns the decision", "func (v *View) RawScan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] { return v.snap.Scan(ctx, q) }\n\n// Grant returns the decision"},
		}},
		{"scope of a joined type: none is asked for", "TestReading$", []edit{
			{"fhir/rest/search.go", "for _, typ := range ask.Plan.Joined {", "for _, typ := range ask.Plan.Joined[:0] {"},
		}},
		{"conditional create: a hidden match is a match", "TestTraces$", []edit{
			{"consent/commit.go", "where := store.And{ch.Absent, v.where(ch.Ref.Type)}", "where := store.And{ch.Absent}"},
		}},
		{"page: a later page goes on behind the guard of the first", "TestReading$", []edit{
			{"consent/scan.go", "	q.Where = store.And{q.Where, v.where(q.Type)}\n	return func(yield", "	if q.After == nil {\n		q.Where = store.And{q.Where, v.where(q.Type)}\n	}\n	return func(yield"},
		}},
		{"scope of the interaction: none is asked for", "TestReading$", []edit{
			{"consent/decide.go", "	if d.p.Scopes.Allow(d.req.Type, d.req.Letter) {\n		return nil\n	}\n", "	if d.p.Scopes != nil {\n		return nil\n	}\n"},
		}},
		{"scope of an included type: none is asked for", "TestReading$", []edit{
			{"fhir/search/include.go", "return in.view.Grant().Principal().May(typ, \"rs\")", "return true"},
			{"fhir/search/include.go", "view: v.With(\"rs\"), lim", "view: v.With(\"\"), lim"},
		}},
		{"second signal: told by what was asked", "TestReading$", []edit{
			{"fhir/search/bundle.go", "if _, some := v.Signals(); some {", "if _, some := v.Signals(); some && len(page.Matches) > 0 {"},
		}},
		{"cut keys: what was cut can still be asked for", "TestRules$", []edit{
			{"consent/project.go", "	keys := append([]store.Key(nil), row.Keys...)\n	for _, k := range d.Keys {\n		if index.IsFact(k) {", "	keys := append([]store.Key(nil), row.Keys...)\n	for _, k := range d.Keys {\n		if index.IsFact(k) || k != \"\" {"},
		}},
		{"cut keys: a negation is asked of what is stored", "TestRules$", []edit{
			{"fhir/index/cut.go", "	case store.Not:\n		return store.And{}\n", "	case store.Not:\n		return p\n"},
		}},
		{"cut elements: an older version is cut by its own day's rules alone", "TestRules$", []edit{
			{"consent/project.go", "rules.apply(d.Keys, paths) || rules.apply(newest, paths)", "rules.apply(d.Keys, paths)"},
		}},
		{"rules of an owner: only the first owner's are asked", "TestRules$", []edit{
			{"consent/rules.go", "for _, patient := range names(keys, index.OwnerPrefix()) {", "for _, patient := range names(keys, index.OwnerPrefix())[:min(1, len(names(keys, index.OwnerPrefix())))] {"},
		}},
		{"a record that is not there: its Patient is still found", "TestRules$", []edit{
			{"consent/rules.go", "	if r.Without != nil {\n		out = append(out, none(owned(r.Without)))\n	}\n	return out", "	return out"},
		}},
		{"letters: what a rule leaves of a type is not asked", "TestRules$", []edit{
			{"consent/rules.go", "	return !named || strings.ContainsAny(left, letters)", "	return !named || strings.ContainsAny(left, letters) || true"},
		}},
		{"contained: its labels are not read", "TestReading$", []edit{
			{"consent/policy/label.go", "l.read(body, 0)\n", "l.read([]byte(gjson.GetBytes(body, \"meta\").Raw), 0)\n"},
		}},
		{"contained: what is cut inside can still be asked for", "TestRules$", []edit{
			{"consent/project.go", "		if index.IsFact(k) {\n			keys = append(keys, k)", "		if index.IsFact(k) || k[2] == 'H' {\n			keys = append(keys, k)"},
		}},
		{"contained: a negation inside is asked of what is stored", "TestRules$", []edit{
			{"fhir/index/cut.go", "		if inside, ok := p.Set.(inside); ok {", "		if inside, ok := p.Set.(inside); ok && inside.untold {"},
		}},
		{"tombstones: deleted rows are judged as they were", "TestReading$", []edit{
			{"consent/past.go", "	if !d.Dead() && d.Version == newest.Version {", "	if d.Version == newest.Version {"},
		}},
		{"page token: it opens for others", "TestReading$", []edit{
			{"fhir/search/token.go", "p.Kind.String(), p.Subject, p.Organisation, p.Role, p.Client, p.Purpose, p.Patient, p.Scopes.String()}", "p.Kind.String()}"},
		}},
		{"page token: a later page goes on by the decision of the first", "TestRules$", []edit{
			{"fhir/rest/search.go", "	c.named = ask.Plan.Named\n", "	c.named = ask.Plan.Named\n	if ask.Token != \"\" {\n		ctx = context.WithValue(ctx, consent.Kind(0), true)\n	}\n"},
			{"consent/rules.go", "	rules, err := d.guard.decider.Decide(ctx, d.p, d.req, d.grant.patient)\n", "	rules, err := d.guard.decider.Decide(ctx, d.p, d.req, d.grant.patient)\n	if first, later := kept.Load(d.guard); later && ctx.Value(Kind(0)) != nil {\n		rules = first.(Rules)\n	}\n	kept.Store(d.guard, rules)\n"},
			{"consent/rules.go", "	\"strings\"\n", "	\"strings\"\n	\"sync\"\n"},
			{"consent/rules.go", "// ruled are the patients", "var kept sync.Map\n\n// ruled are the patients"},
		}},
		{"sort: hidden rows have a place", "TestReading$", []edit{
			{"fhir/search/sort.go", "range p.scan(ctx, v, nil, true, lim) {", "range v.RawScan(ctx, store.Query{Type: p.Type(), Where: p.Where(), KeysOnly: true}) {"},
			{"fhir/search/sort.go", "		if err != nil {\n			return fmt.Errorf(\"fetch a sorted row", "		if errors.Is(err, store.ErrNotFound) {\n			continue\n		}\n		if err != nil {\n			return fmt.Errorf(\"fetch a sorted row"},
			{"fhir/search/sort.go", "	\"context\"\n", "	\"context\"\n	\"errors\"\n"},
			{"consent/view.go", "// Grant returns the decision", "func (v *View) RawScan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] { return v.snap.Scan(ctx, q) }\n\n// Grant returns the decision"},
		}},
		{"sort: rows stand by values that were cut", "TestRules$", []edit{
			{"fhir/search/sort.go", "		r := row{ref: d.Ref,", "		if raw, err := v.Raw(ctx, d.Ref); err == nil {\n			d.Keys = raw.Keys\n		}\n		r := row{ref: d.Ref,"},
			{"consent/view.go", "// Grant returns the decision", "func (v *View) Raw(ctx context.Context, ref store.Ref) (store.Doc, error) { return v.snap.Get(ctx, ref) }\n\n// Grant returns the decision"},
		}},
		{"_has under rules: a reference that was cut still leads", "TestRules$", []edit{
			{"fhir/search/join.go", "h.inner.positive(), func(d store.Doc) error {\n", "h.inner.positive(), func(d store.Doc) error {\n		if raw, err := j.view.Raw(ctx, d.Ref); err == nil {\n			d.Keys = raw.Keys\n		}\n"},
			{"consent/view.go", "// Grant returns the decision", "func (v *View) Raw(ctx context.Context, ref store.Ref) (store.Doc, error) { return v.snap.Get(ctx, ref) }\n\n// Grant returns the decision"},
		}},
		{"history: its total counts hidden versions", "TestReading$", []edit{
			{"fhir/rest/history.go", "range s.versions(ctx, c, v, store.HistoryQuery{Type: q.Type, ID: q.ID, Since: q.Since}, ask) {", "range v.RawHistory(ctx, store.HistoryQuery{Type: q.Type, ID: q.ID, Since: q.Since}) {"},
			{"consent/view.go", "// Grant returns the decision", "func (v *View) RawHistory(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] { return v.snap.History(ctx, q) }\n\n// Grant returns the decision"},
		}},
		{"letters: a person writes where rules leave nothing", "TestTracesByRules$", []edit{
			{"consent/commit.go", "	if l := ch.Form.letter(); l != \"\" && !c.view.grant.rules.leave(ch.Ref.Type, l) {", "	if l := ch.Form.letter(); l == \"none\" {"},
			{"consent/view.go", "	case !v.grant.rules.leave(typ, letters): // nor for who writes\n", "	case typ == \"none\":\n"},
		}},
		{"batch: an entry is answered without the guard", "TestReading$", []edit{
			{"fhir/rest/bundle.go", "		a := s.answer(ctx, sub, h, false)\n", "		if sub.interaction == consent.Read {\n			sub.caller = consent.Principal{Kind: consent.System, Scopes: sub.caller.Scopes}\n		}\n		a := s.answer(ctx, sub, h, false)\n"},
		}},
	}
}

// TestBites builds each broken guard and demands that the law is found broken
// within 10,000 cases (CON-1507).
func TestBites(t *testing.T) {
	if raced {
		t.Log("the broken guards run without the race detector")
		return
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range brokenGuards() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel() // a run uses one processor
			began := time.Now()
			overlay := overlayOf(t, root, b.edit)
			c := exec.Command("go", "test", "-count=1", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-run", b.run, "./conformance/law")
			c.Dir, c.Env = root, append(os.Environ(), "CARERECORD_LAW_CASES=10000", "CARERECORD_SOAK=")
			out, err := c.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "LAW BROKEN") {
				t.Errorf("CON-1507: the law was not found broken: %v\n%.2000s", err, out)
			}
			t.Logf("caught in %.0f s: %s", time.Since(began).Seconds(), place(string(out)))
		})
	}
}

// place is the sentence with which a test ended.
func place(out string) string {
	_, found, _ := strings.Cut(out, "LAW BROKEN")
	line, _, _ := strings.Cut(found, "\n")
	return line
}

// overlayOf writes the edited files, and the table that tells the compiler to
// take them in place of the real ones.
func overlayOf(t *testing.T, root string, edits []edit) string {
	t.Helper()
	dir := t.TempDir()
	replace, text := map[string]string{}, map[string]string{}
	for _, e := range edits {
		name := filepath.Join(root, e.file)
		if text[name] == "" {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			text[name] = string(raw)
		}
		if strings.Count(text[name], e.old) != 1 {
			t.Fatalf("%s does not hold once what is to be broken:\n%s", e.file, e.old)
		}
		text[name] = strings.Replace(text[name], e.old, e.new, 1)
		replace[name] = filepath.Join(dir, strings.ReplaceAll(e.file, "/", "_"))
	}
	for name, file := range replace {
		if err := os.WriteFile(file, []byte(text[name]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	table, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, table, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
