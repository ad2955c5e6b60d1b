package atonce

import (
	"fmt"
	"math/rand/v2"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/store"
)

// step is one write of a script.
type step struct {
	by      consent.Principal
	ref     store.Ref
	content content
	create  bool // by a person: the server makes the id
	with    *step
}

// dice draws the steps of a round.
type dice struct {
	*rand.Rand
	made int
}

func newDice(seed, stream uint64) *dice {
	return &dice{Rand: rand.New(rand.NewPCG(seed, stream))}
}

func pick[T any](d *dice, of ...T) T { return of[d.IntN(len(of))] }

func (d *dice) once(in int) bool { return d.IntN(in) == 0 }

// The people of a round: few, so that writers meet.
var (
	patients = []string{"G.1", "G.2", "A.1"}
	numbers  = []string{"9990000018", "9990000026"}
)

// someone is a patient by id or by number.
func (d *dice) someone() string {
	if d.once(2) {
		return "nhs:" + pick(d, numbers...)
	}
	return pick(d, patients...)
}

// document is an address that a source system writes to.
func (d *dice) document(source, typ string) store.Ref {
	return store.Ref{Type: typ, ID: fmt.Sprintf("%s.%d", source, 1+d.IntN(2))}
}

// target is a document of any source that others follow.
func (d *dice) target() store.Ref {
	return d.document(pick(d, "G", "A"), pick(d, "Observation", "Observation", "Observation", "DocumentReference", "List", "Schedule", "Patient"))
}

// sourceStep draws the next step of a source system.
func (d *dice) sourceStep(source string) step {
	s := step{by: feed(source)}
	switch n := d.IntN(20); {
	case source == patientIndex && n < 16:
		s.ref, s.content = d.patientOf(source)
	case source == patientIndex:
		s.ref, s.content = d.document(source, "Observation"), content{subjects: []string{d.someone()}}
	case n < 5:
		s.ref, s.content = d.patientOf(source)
	case n < 9:
		s.ref = d.document(source, "Consent")
		s.content = content{about: "nhs:" + numbers[0], active: !d.once(3), denial: d.once(2)}
		if s.ref.ID == source+".2" {
			s.content.about = pick(d, patients[0])
		}
		return s
	case n < 14:
		s.ref = d.document(source, "Observation")
		s.content = content{subjects: []string{d.someone()}}
		if d.once(3) {
			s.content.mentions = []string{d.someone()}
		}
	default:
		s.ref, s.content = d.follower(source)
	}
	if d.once(6) {
		s.content = content{dead: true}
	}
	if d.once(8) { // both in one commit
		with := d.sourceStep(source)
		if with.with == nil && with.ref != s.ref {
			s.with = &with
		}
	}
	return s
}

func (d *dice) patientOf(source string) (store.Ref, content) {
	own := map[string][]string{"G": patients[:2], "A": patients[2:], patientIndex: {"I.1", "I.2"}}[source]
	c := content{restricted: d.once(6), born: pick(d, "", "", "", "1950", "1951-01-02")}
	if source == patientIndex { // it supersedes numbers, and withdraws that (IDN-134)
		c.link = pick(d, "", "replaces", "replaced-by")
	}
	for _, n := range numbers {
		if d.once(2) {
			c.numbers = append(c.numbers, n)
		}
	}
	return store.Ref{Type: "Patient", ID: pick(d, own...)}, c
}

// otherOfIndex returns the id of the other Patient of the patient index.
func otherOfIndex(id string) string {
	if id == "I.1" {
		return "I.2"
	}
	return "I.1"
}

// follower is a document whose patients are those of others, or several.
func (d *dice) follower(source string) (store.Ref, content) {
	ref := d.document(source, pick(d, "List", "List", "Group", "Appointment", "Provenance", "Schedule", "Slot", "DocumentReference", "DocumentReference", "Binary"))
	var c content
	switch ref.Type {
	case "List", "Provenance":
		c.through = []store.Ref{d.target()}
		if t := d.target(); t != c.through[0] {
			c.through = append(c.through, t)
		}
	case "Group", "Appointment":
		c.subjects = []string{pick(d, patients...), pick(d, patients...)}
	case "Schedule":
		c.subjects = []string{pick(d, patients...)}
	case "Slot":
		c.through = []store.Ref{d.document(source, "Schedule")}
	case "DocumentReference":
		c.subjects, c.attaches = []string{d.someone()}, d.document(source, "Binary").ID
	case "Binary":
		if d.once(4) {
			c.through = []store.Ref{d.document(source, pick(d, "DocumentReference", "Observation"))}
		}
	}
	return ref, c
}

// personStep draws the next statement of staff of the practice or of a patient: a new one, or another state
// of an earlier one.
func (d *dice) personStep(who string) step {
	s := step{by: staff("G", policy.ActivityOptOut), content: content{about: patients[0], active: !d.once(3)}}
	if who == "patient" {
		s.by = patient(patients[0])
	}
	if s.create = d.made == 0 || d.once(4); s.create {
		d.made++
	}
	s.ref = store.Ref{Type: "Consent", ID: fmt.Sprintf("said-%s-%d", who, 1+d.IntN(d.made))}
	if s.create {
		s.ref.ID = fmt.Sprintf("said-%s-%d", who, d.made)
	}
	return s
}
