package law_test

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"carerecord/consent/consenttest"
	"carerecord/store"
)

// requester is the part of a Principal that the evaluator needs.
type requester struct {
	staff, sourceSystem bool // else a patient
	organisation        string
	id, person          string // the Patient in context, of a patient or of staff, and the person for whom the token was issued
	breakGlass          bool
	scopes              []scope
	permissions         string // the visible part is what one of these permits; empty for r and s
	terminology         bool   // value sets and code systems are in the visible part by both letters
}

// hasScope reports whether the scopes include a permission on a type.
func (r requester) hasScope(typ, letter string) bool {
	return slices.ContainsFunc(r.scopes, func(s scope) bool { return s.permits(typ, letter) })
}

// mayRead reports whether the scopes permit reading or searching a type.
func (r requester) mayRead(typ string) bool { return r.hasScope(typ, "r") || r.hasScope(typ, "s") }

// version is one version of a resource, as plain JSON.
type version struct {
	store.Doc
	decoded map[string]any // the decoded body; for a tombstone that of the version before
	written time.Time      // the instant of the write of decoded
	// attachers and attachersComplete are the results of attachersOf, for a Binary.
	attachers         []*version
	attachersComplete bool
	embedded          *embedded // nil if the body embeds nothing
}

// evaluator decides which versions are visible. It uses only the bodies and, of the server's data about a
// version, its source, its instant and whether it is a tombstone. It implements consent.md independently of
// the server.
type evaluator struct {
	versions   []*version
	newest     map[string]*version // by Type/id
	requester  requester
	region     region
	statements map[string]statements      // by the name that a document names
	numbers    map[string]map[string]bool // numberNames and ties of all versions, by id of the Patient
	decision   consenttest.Decision

	inForceOf  map[string]statements // results of inForce
	survivors  map[string]string     // answers of survivor
	subjectsOf map[*version]subjects // results of subjects
}

func evaluate(docs []store.Doc, in region, r requester, decision consenttest.Decision) *evaluator {
	e := &evaluator{newest: map[string]*version{}, requester: r, region: in, statements: map[string]statements{}, numbers: map[string]map[string]bool{}, decision: decision,
		inForceOf: map[string]statements{}, survivors: map[string]string{}, subjectsOf: map[*version]subjects{}}
	ordered := slices.Clone(docs)
	slices.SortFunc(ordered, func(a, b store.Doc) int { return int(a.Version) - int(b.Version) })
	for _, d := range ordered {
		v := &version{Doc: d, written: d.Updated}
		name := d.Ref.String()
		if d.Deleted() {
			v.decoded, v.written = e.newest[name].decoded, e.newest[name].written
		} else if err := json.Unmarshal(d.Body, &v.decoded); err != nil {
			panic(err)
		}
		v.embedded = embeddedIn(v.decoded)
		if d.Ref.Type == "Patient" {
			e.noteNumbers(v)
		}
		e.versions = append(e.versions, v)
		e.newest[name] = v
	}
	e.noteMerged()
	for _, v := range e.versions {
		if v.Ref.Type == "Binary" {
			v.attachers, v.attachersComplete = e.attachersOf(v)
		}
	}
	for _, v := range e.newest {
		e.registerStatement(v)
	}
	return e
}

// hasCode reports whether a value has a code at any depth.
func hasCode(value any, code string) bool {
	switch value := value.(type) {
	case map[string]any:
		for k, v := range value {
			if k == "code" && v == code || hasCode(v, code) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(value, func(v any) bool { return hasCode(v, code) })
	}
	return false
}

// localTarget returns the type and id of a literal reference to this server, or empty strings.
func localTarget(reference any) (typ, id string) {
	m, _ := reference.(map[string]any)
	text, _ := m["reference"].(string)
	text, _, _ = strings.Cut(canonicalAddress(text), "/_history/")
	typ, id, ok := strings.Cut(text, "/")
	if !ok || strings.Contains(text, ":") {
		return "", ""
	}
	return typ, id
}

func patientOf(reference any) string {
	if typ, id := localTarget(reference); typ == "Patient" {
		return id
	}
	return ""
}

func (e *evaluator) live(name string) bool {
	v := e.newest[name]
	return v != nil && !v.Deleted()
}

// labels of CON-701 and CON-801, contained resources included.
func (v *version) labelled(codes ...string) bool {
	found := false
	each := func(m map[string]any) {
		meta, _ := m["meta"].(map[string]any)
		for _, label := range valuesAt(meta, "security") {
			code, _ := label.(map[string]any)["code"].(string)
			found = found || slices.Contains(codes, strings.ToUpper(code))
		}
	}
	each(v.decoded)
	for _, c := range valuesAt(v.decoded, "contained") {
		each(c.(map[string]any))
	}
	if v.embedded != nil {
		for _, m := range v.embedded.resources {
			each(m)
		}
	}
	return found
}

var sensitivity = []string{"HIV", "STD", "SEX", "SDV", "GDIS", "ETH", "SPI", "MH", "PSY", "BH", "SUD", "ETHUD", "OPIOIDUD"}

func (v *version) ordinary() bool {
	if slices.ContainsFunc(v.attachers, func(attacher *version) bool { return !attacher.ordinary() }) {
		return false
	}
	return !v.labelled(append([]string{"R", "V", "REDACTED"}, sensitivity...)...)
}

// recordHidden reports whether the whole record of a person, by a name, is hidden from staff.
func (e *evaluator) recordHidden(name string) bool {
	return e.restricted(name) || e.denied(name) || slices.Contains(e.decision.NoRecord, name) || e.optedOut(name) && !e.hasOwnRows(name, "")
}

// mentionHidden reports whether the record of a person is hidden, by the name in a mention (CON-407). For a deleted
// Patient it is also true if the Patient was restricted, or if the record of one of its numbers is hidden.
func (e *evaluator) mentionHidden(name string) bool {
	p := e.newest["Patient/"+name]
	switch {
	case p == nil:
		return e.recordHidden(name)
	case !p.Deleted():
		person, _ := e.livePerson(name)
		return e.recordHidden(person)
	}
	for number := range e.numbers[name] {
		if e.recordHidden(number) {
			return true
		}
	}
	return e.recordHidden(name) || !p.ordinary()
}

// hasOwnRows reports whether the requester's organisation wrote an ordinary row of care for a person. If patient
// is not empty, the row must be about the person through that Patient (IDN-132).
func (e *evaluator) hasOwnRows(person, patient string) bool {
	for _, v := range e.newest {
		if s := e.subjects(v); e.countsAsOwnRow(v) && slices.ContainsFunc(s.owners, func(owner string) bool { return owner == person || patient == "" && e.samePerson(owner, person) }) && (patient == "" || slices.Contains(s.patients, patient)) {
			return true
		}
	}
	return false
}

// care are the types of rows that are care given (IDN-132).
var care = []string{"AllergyIntolerance", "Appointment", "CareTeam", "Condition", "DocumentReference", "Encounter", "MedicationRequest", "Observation", "RiskAssessment"}

// countsAsOwnRow reports whether a version is of a live, ordinary row of care that the requester's organisation gave.
func (e *evaluator) countsAsOwnRow(v *version) bool {
	return slices.Contains(care, v.Ref.Type) && !v.Deleted() && v == e.newest[v.Ref.String()] && v.Source == e.requester.organisation && v.ordinary() && !e.restrictedAtDeletion(v)
}

// isOrRevealsDirective reports whether a version is a directive or reveals one (CON-409).
func (v *version) isOrRevealsDirective() bool {
	if slices.ContainsFunc(v.attachers, (*version).isOrRevealsDirective) {
		return true
	}
	return v.Ref.Type == "Consent" || slices.ContainsFunc(valuesAt(v.decoded, "target"), func(r any) bool {
		typ, _ := localTarget(r)
		return typ == "Consent"
	})
}

// isVisible reports whether a version is visible. Both the version and the newest version of the document
// decide (CON-618).
func (e *evaluator) isVisible(v *version) bool {
	newest := e.newest[v.Ref.String()]
	return e.versionVisible(newest) && e.versionVisible(v) && e.inScope(newest) && e.inScope(v)
}

func (e *evaluator) versionVisible(v *version) bool {
	switch {
	case e.hiddenByRules(v), !e.binaryVisible(v), !e.leftAfterCuts(v):
		return false
	case e.requester.sourceSystem:
		return v.Source == e.requester.organisation
	case e.requester.staff:
		return e.visibleToStaff(v)
	}
	return e.visibleToPatient(v)
}

func (e *evaluator) visibleToStaff(v *version) bool {
	s := e.subjects(v)
	about, own := s.all(), v.Source == e.requester.organisation
	switch {
	case slices.ContainsFunc(about, e.restricted), slices.ContainsFunc(about, e.denied):
		return false
	case slices.ContainsFunc(e.mentions(v), e.mentionHidden):
		return false
	case v.Ref.Type == "Consent": // its labels do not hide it: staff may have to end it
		return own
	case !v.ordinary(), e.restrictedAtDeletion(v):
		return false
	case v.isOrRevealsDirective():
		return own
	case own:
		return true
	case !s.resolved:
		return false
	case v.Ref.Type == "Patient":
		person, live := e.livePerson(v.Ref.ID)
		named := live && e.hasOwnRows(person, v.Ref.ID)
		return !slices.ContainsFunc(about, e.recordHidden) && (named || !slices.ContainsFunc(about, e.optedOut))
	}
	return !slices.ContainsFunc(about, e.optedOut) && !slices.ContainsFunc(s.owners, e.unknownPerson)
}

func (e *evaluator) visibleToPatient(v *version) bool {
	switch v.Ref.Type {
	case "Binary", "DocumentReference", "Composition", "Media":
		return false
	}
	// Without a current Patient nothing is visible (step 3), nor if the Patient is no longer of the person for whom the
	// token was issued (IDN-131). If the Patient is hidden, so is the whole record.
	person, live := e.livePerson(e.requester.id)
	if !live || e.requester.person != "" && !e.samePerson(e.requester.person, person) {
		return false
	}
	self := e.newest["Patient/"+e.requester.id]
	if e.hiddenByDecision(self) || v != self && !e.visibleToPatient(self) {
		return false
	}
	s := e.subjects(v)
	if !s.resolved || len(s.owners) == 0 && !inDirectory(v.Ref.Type) || !e.allOf(s.owners, person) || slices.ContainsFunc(s.all(), e.restricted) || slices.ContainsFunc(e.mentions(v), e.isOther) {
		return false
	}
	if v.Ref.Type == "Consent" { // its labels do not hide it from the patient
		return v.Source == "" || !v.labelled("NOPAT")
	}
	return v.ordinary() && !e.restrictedAtDeletion(v) && !v.labelled("NOPAT")
}

// isOther reports whether a mention is not of the person of the patient who requests: the person key, a Patient of the
// person, or a number that the Patient in context has or had.
func (e *evaluator) isOther(name string) bool {
	person, _ := e.livePerson(e.requester.id)
	of, live := e.livePerson(name)
	return !e.samePerson(name, person) && !e.numbers[e.requester.id][name] && !(live && e.samePerson(of, person))
}

// allOf reports whether some person keys are those of one person.
func (e *evaluator) allOf(owners []string, person string) bool {
	return !slices.ContainsFunc(owners, func(owner string) bool { return !e.samePerson(owner, person) })
}

// notices returns the notices in the answer to a request about one person: S1, the patient shares nothing, or
// S2, a part is withheld (CON-1103, 1104, 1105, 1702).
func (e *evaluator) notices(person string) (s1, s2 bool) {
	if !e.requester.staff || person == "" || e.restricted(person) {
		return false, false
	}
	if e.recordHidden(person) {
		return e.requester.breakGlass, false
	}
	if e.decision.Withheld {
		return false, true
	}
	defer e.ofBothLetters()() // the notice is about what either of the letters permits
	for _, v := range e.newest {
		s := e.subjects(v)
		about := s.all()
		if v.Deleted() || !s.resolved || !slices.ContainsFunc(s.owners, func(owner string) bool { return e.samePerson(owner, person) }) || v.isOrRevealsDirective() || !e.requester.mayRead(v.Ref.Type) || !e.inScopes(v, v.decoded) || slices.ContainsFunc(about, e.restricted) {
			continue
		}
		refused := slices.ContainsFunc(about, e.denied) || v.Source != e.requester.organisation && slices.ContainsFunc(about, e.optedOut)
		if v.Ref.Type == "Patient" {
			refused = false // rows of the own source decide it
		}
		if refused || !v.ordinary() {
			return false, true
		}
	}
	return false, false
}
