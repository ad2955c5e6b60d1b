package law_test

import (
	"encoding/json"
	"slices"
	"strings"

	"carerecord/consent/consenttest"
	"carerecord/store"
)

// requester is the part of a Principal that the evaluator needs.
type requester struct {
	staff, sourceSystem bool // else a patient
	organisation, id    string
	breakGlass          bool
	scopes              []string // level/type.permissions
}

// hasScope reports whether the scopes include a permission on a type.
func (r requester) hasScope(typ, letter string) bool {
	return slices.ContainsFunc(r.scopes, func(scope string) bool {
		_, what, _ := strings.Cut(scope, "/")
		of, permissions, _ := strings.Cut(what, ".")
		return (of == "*" || of == typ) && strings.Contains(permissions, letter)
	})
}

// mayRead reports whether the scopes permit reading or searching a type.
func (r requester) mayRead(typ string) bool { return r.hasScope(typ, "r") || r.hasScope(typ, "s") }

// version is one version of a resource, as plain JSON.
type version struct {
	store.Doc
	decoded map[string]any // the decoded body; for a tombstone that of the version before
	// attachers and attachersComplete are the results of attachersOf, for a Binary.
	attachers         []*version
	attachersComplete bool
	embedded          *embedded // nil if the body embeds nothing
}

// evaluator decides which versions are visible. It uses only the bodies and, of the server's data about a
// version, its source, its instant and whether it is a tombstone. It implements consent.md independently of
// the server.
type evaluator struct {
	versions  []*version
	newest    map[string]*version // by Type/id
	requester requester
	optedOut  map[string]bool            // patients with an opt-out in force
	denied    map[string]bool            // patients with another directive in force
	numbers   map[string]map[string]bool // numberNames of all versions, by id of the Patient
	decision  consenttest.Decision
}

func evaluate(docs []store.Doc, r requester, decision consenttest.Decision) *evaluator {
	e := &evaluator{newest: map[string]*version{}, requester: r, optedOut: map[string]bool{}, denied: map[string]bool{}, numbers: map[string]map[string]bool{}, decision: decision}
	bodies := map[string]map[string]any{}
	ordered := slices.Clone(docs)
	slices.SortFunc(ordered, func(a, b store.Doc) int { return int(a.Version) - int(b.Version) })
	for _, d := range ordered {
		v := &version{Doc: d}
		name := d.Ref.String()
		if d.Deleted() {
			v.decoded = bodies[name]
		} else if err := json.Unmarshal(d.Body, &v.decoded); err != nil {
			panic(err)
		}
		bodies[name] = v.decoded
		v.embedded = embeddedIn(v.decoded)
		if d.Ref.Type == "Patient" {
			e.noteNumbers(d.Ref.ID, v.decoded)
		}
		e.versions = append(e.versions, v)
		e.newest[name] = v
	}
	for _, v := range e.versions {
		if v.Ref.Type == "Binary" {
			v.attachers, v.attachersComplete = e.attachersOf(v)
		}
	}
	for _, v := range e.newest {
		if v.Ref.Type == "Consent" && !v.Deleted() {
			e.registerDirective(v)
		}
	}
	return e
}

// registerDirective registers a Consent in force (CON-501, 601, 641) for every id and number in it, for every
// Patient that has or had one of these numbers, and for the numbers of these Patients.
func (e *evaluator) registerDirective(v *version) {
	set := e.denied
	switch consentKindOf(v.decoded) {
	case notDirective:
		return
	case optOut:
		set = e.optedOut
	}
	for _, name := range consentPatients(v.decoded) {
		set[name] = true
		for number := range e.numbers[name] {
			set[number] = true
		}
		for patient, numbers := range e.numbers {
			if numbers[name] && e.live("Patient/"+patient) {
				set[patient] = true
			}
		}
	}
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

// restricted reports whether the patient's record has a restriction, or a sensitivity label, which has the
// same effect (CON-703).
func (e *evaluator) restricted(patient string) bool {
	if strings.HasPrefix(patient, "nhs:") { // a number: of every Patient that has or had it
		for p, numbers := range e.numbers {
			if numbers[patient] && e.restricted(p) {
				return true
			}
		}
	}
	v := e.newest["Patient/"+patient]
	return v != nil && !v.Deleted() && !v.ordinary()
}

// recordHidden reports whether the whole record of a patient is hidden from staff.
func (e *evaluator) recordHidden(patient string) bool {
	return e.restricted(patient) || e.denied[patient] || slices.Contains(e.decision.NoRecord, patient) || e.optedOut[patient] && !e.hasOwnRows(patient)
}

// recordHiddenOrDeleted reports recordHidden. For a deleted Patient it is also true if the Patient was
// restricted, or if the record of one of its numbers is hidden.
func (e *evaluator) recordHiddenOrDeleted(patient string) bool {
	p := e.newest["Patient/"+patient]
	if e.recordHidden(patient) || p == nil || !p.Deleted() {
		return e.recordHidden(patient)
	}
	for name := range e.numbers[patient] {
		if e.recordHidden(name) {
			return true
		}
	}
	return !p.ordinary()
}

// hasOwnRows reports whether the requester's organisation wrote a row of the patient that its staff may see.
func (e *evaluator) hasOwnRows(patient string) bool {
	for _, v := range e.newest {
		if v.Deleted() || v.Source != e.requester.organisation || !v.ordinary() || e.restrictedAtDeletion(v) {
			continue
		}
		if owners, _ := e.owners(v); slices.Contains(owners, patient) {
			return true
		}
	}
	return false
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
	return e.versionVisible(e.newest[v.Ref.String()]) && e.versionVisible(v)
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
	_, resolved := e.owners(v)
	owners, own := e.allOwners(v), v.Source == e.requester.organisation
	switch {
	case slices.ContainsFunc(owners, e.restricted), slices.ContainsFunc(owners, func(p string) bool { return e.denied[p] }):
		return false
	case slices.ContainsFunc(e.mentions(v), e.recordHiddenOrDeleted):
		return false
	case v.Ref.Type == "Consent": // its labels do not hide it: staff may have to end it
		return own
	case !v.ordinary(), e.restrictedAtDeletion(v):
		return false
	case v.isOrRevealsDirective():
		return own
	case v.Ref.Type == "Patient":
		return own || !slices.ContainsFunc(owners, e.recordHidden)
	case own:
		return true
	}
	return resolved && !slices.ContainsFunc(owners, func(p string) bool { return e.optedOut[p] })
}

func (e *evaluator) visibleToPatient(v *version) bool {
	owners, resolved := e.owners(v)
	switch v.Ref.Type {
	case "Binary", "DocumentReference", "Composition", "Media":
		return false
	}
	// Without a current Patient nothing is visible (step 3). If the Patient is hidden, so is the whole
	// record.
	if self := e.newest["Patient/"+e.requester.id]; self == nil || self.Deleted() || e.selfHiddenByDecision(self) || v != self && !e.visibleToPatient(self) {
		return false
	}
	if v.Ref.Type == "Consent" { // its labels do not hide it from the patient
		return resolved && len(owners) == 1 && owners[0] == e.requester.id && (v.Source == "" || !v.labelled("NOPAT")) &&
			!e.restricted(e.requester.id) && len(e.mentions(v)) == 0
	}
	return resolved && len(owners) == 1 && owners[0] == e.requester.id && v.ordinary() && !e.restrictedAtDeletion(v) && !v.labelled("NOPAT") &&
		!e.restricted(e.requester.id) && len(e.mentions(v)) == 0
}

// notices returns the notices in the answer to a request about one patient: S1, the patient shares nothing, or
// S2, a part is withheld (CON-1103, 1104, 1105, 1702).
func (e *evaluator) notices(patient string) (s1, s2 bool) {
	if !e.requester.staff || patient == "" || !e.live("Patient/"+patient) || e.restricted(patient) {
		return false, false
	}
	if e.recordHidden(patient) {
		return e.requester.breakGlass, false
	}
	if e.decision.Withheld {
		return false, true
	}
	for _, v := range e.newest {
		owners, resolved := e.owners(v)
		allOwners := e.allOwners(v)
		if v.Deleted() || !resolved || !slices.Contains(owners, patient) || v.isOrRevealsDirective() || !e.requester.mayRead(v.Ref.Type) || slices.ContainsFunc(allOwners, e.restricted) {
			continue
		}
		refused := slices.ContainsFunc(allOwners, func(p string) bool {
			return e.denied[p] || e.optedOut[p] && v.Source != e.requester.organisation
		})
		if v.Ref.Type == "Patient" {
			refused = false // rows of the own source decide it
		}
		if refused || !v.ordinary() {
			return false, true
		}
	}
	return false, false
}

// patientOfQuestion returns the id of the patient in a question, or the empty string.
func (e *evaluator) patientOfQuestion(q question) string {
	if q.patientNumber != "" {
		if ids := e.patientsWithNumber(q.patientNumber); len(ids) == 1 {
			return ids[0]
		}
		return ""
	}
	return q.patientID
}
