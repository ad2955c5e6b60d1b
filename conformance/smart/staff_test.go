package smart

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/conformance/validate"
	"carerecord/consent/policy"
	"carerecord/interop/smart"
	"carerecord/interop/smart/record"
	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/session"
	"carerecord/interop/smart/staff"
	"carerecord/store"
	"carerecord/store/storetest"
)

const (
	sdsUserID   = "https://fhir.nhs.uk/Id/sds-user-id"
	roleProfile = "https://fhir.nhs.uk/Id/sds-role-profile-id"
)

// newStaffWorld returns a world with some servers, and the directory of staff of each.
func newStaffWorld(t *testing.T, servers int) (*world, []*staff.Directory) {
	t.Helper()
	var configs []smart.Config
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, servers, func(c *smart.Config) { configs = append(configs, *c) })
	var all []*staff.Directory
	for i, c := range configs {
		all = append(all, &staff.Directory{Guard: c.Guard, Record: &record.Record{Guard: c.Guard, Verifier: w.smart[i].Resource}, State: c.State, Audit: c.Audit, Policy: c.Policy, Secrets: c.Secrets, Clock: c.Clock, Base: base})
	}
	return w, all
}

// signIn is the sign-in of somebody at the sample issuer.
func (w *world) signIn(user, name string) staff.SignIn {
	p, _ := w.policy.Person(user)
	return staff.SignIn{Person: p, User: session.User{Issuer: site + "/sample-sign-in/sample-staff", Subject: p.Subject, Kind: session.Staff}, Name: name}
}

// profile gives a person a role profile id.
func (w *world) profile(user, organisation, role, id string) {
	for i := range w.policy.People {
		if p := &w.policy.People[i]; p.User == user {
			p.RoleProfiles = append(p.RoleProfiles, policy.RoleProfile{RoleAt: policy.RoleAt{Organisation: organisation, Role: role}, ID: id})
		}
	}
}

// all returns the resources of a type, as staff see them.
func (w *world) all(token, typ string) []gjson.Result {
	w.Helper()
	a := w.get(token, typ+"?_count=100")
	if a.code != 200 {
		w.Fatalf("read %s: %d %s", typ, a.code, a.text)
	}
	return gjson.Get(a.text, "entry.#.resource").Array()
}

// atOnce signs somebody in at each of some directories, none of which commits before all of them have read that there is nothing.
func (w *world) atOnce(directories []*staff.Directory, in staff.SignIn) {
	w.Helper()
	var read, done sync.WaitGroup
	read.Add(len(directories))
	failed := make([]error, len(directories))
	for i, one := range directories {
		d := *one
		var first sync.Once
		d.Clock = func() time.Time { // it is asked when a commit is about to be made
			first.Do(func() {
				read.Done()
				read.Wait()
			})
			return one.Clock()
		}
		done.Go(func() { failed[i] = d.SignedIn(w.Context(), in) })
	}
	done.Wait()
	for _, err := range failed {
		if err != nil {
			w.Errorf("SMART-442: sign-ins at once: %v", err)
		}
	}
}

// ownAt returns the ids of the resources of a type whose source is an organisation and whose first identifier has a value, whoever sees them.
func (w *world) ownAt(typ, organisation, value string) (ids []string) {
	w.Helper()
	w.must(w.engine.Read(w.Context(), func(snap store.Snapshot) error {
		for d, err := range snap.Scan(w.Context(), store.Query{Type: typ, Where: store.And{}}) {
			if err != nil {
				return err
			}
			if d.Source == organisation && gjson.GetBytes(d.Body, "identifier.0.value").Str == value {
				ids = append(ids, d.Ref.ID)
			}
		}
		return nil
	}))
	return ids
}

// countOf returns how many resources of a type the store has, whoever sees them.
func (w *world) countOf(typ string) (n int) {
	w.Helper()
	w.must(w.engine.Read(w.Context(), func(snap store.Snapshot) error {
		for _, err := range snap.Scan(w.Context(), store.Query{Type: typ, Where: store.And{}}) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	}))
	return n
}

// TestSMART442: somebody who signs in and is no Practitioner becomes one, with a PractitionerRole where the policy has its id, both with
// their source and a Provenance; once, whatever happens at the same time. The name follows the issuer, the code of the role does not.
func TestSMART442(t *testing.T) {
	w, directories := newStaffWorld(t, 2)
	w.profile("nurse", "T1", "R1", "555000000103")
	w.profile("locum", "G1", "R3", "555000000105")
	a := w.exchange("clinical", w.browser().journey("clinical", "openid fhirUser user/*.rs", "nurse", "").Get("code"))
	token := a.str("access_token")
	fhirUser := strings.TrimPrefix(claimsOf(t, a.str("id_token")).Get("fhirUser").Str, base+"/")
	made := gjson.Parse(w.get(token, fhirUser).text)
	if made.Get("identifier.0.system").Str != sdsUserID || made.Get("identifier.0.value").Str != "900000000103" || made.Get("name.0.text").Str != "nurse" || made.Get("meta.source").Str != site+"/sample-sign-in/sample-staff" {
		t.Errorf("SMART-442: got the Practitioner %q: %s", fhirUser, made.Raw)
	}
	roles, provenances := w.all(token, "PractitionerRole"), w.all(token, "Provenance")
	if len(roles) != 1 || len(provenances) != 1 {
		t.Fatalf("SMART-442: got the roles %v and the Provenances %v", roles, provenances)
	}
	role := roles[0]
	if role.Get("identifier.0.system").Str != roleProfile || role.Get("identifier.0.value").Str != "555000000103" || role.Get("code.0.coding.0.code").Str != "R1" || role.Get("practitioner.reference").Str != fhirUser ||
		role.Get("organization.identifier.value").Str != "T1" {
		t.Errorf("SMART-441: got the PractitionerRole %s", role.Raw)
	}
	if target := provenances[0].Get("target.#.reference").String(); !strings.Contains(target, fhirUser) || !strings.Contains(target, "PractitionerRole/"+role.Get("id").Str) || provenances[0].Get("entity.0.what.identifier.value").Str != site+"/sample-sign-in/sample-staff" {
		t.Errorf("SMART-442: got the Provenance %s", provenances[0].Raw)
	}
	for _, one := range []gjson.Result{made, role, provenances[0]} {
		if issues := validate.Resource([]byte(one.Raw), validate.Strict); validate.Refused(issues) != nil {
			t.Errorf("SMART-442: %s is not valid: %v", one.Raw, issues)
		}
	}
	for _, ref := range []string{fhirUser, "PractitionerRole/" + role.Get("id").Str} {
		typ, id, _ := strings.Cut(ref, "/")
		w.must(w.engine.Read(t.Context(), func(snap store.Snapshot) error {
			d, err := snap.Get(t.Context(), store.Ref{Type: typ, ID: id})
			if err == nil && d.Source != "T1" {
				t.Errorf("SMART-442: the source of %s is %q", ref, d.Source)
			}
			return err
		}))
	}
	if !w.audited("staff-register", "Practitioner") {
		t.Error("SMART-442: the audit trail does not have it")
	}

	// Once: further sign-ins, in both servers and at once, make nothing more.
	w.browser().journey("clinical", "openid fhirUser user/*.rs", "nurse", "")
	count := func(what string, practitioners, roles, provenances int) {
		t.Helper()
		if got := [3]int{w.countOf("Practitioner"), w.countOf("PractitionerRole"), w.countOf("Provenance")}; got != [3]int{practitioners, roles, provenances} {
			t.Errorf("SMART-442: %s: got %v Practitioners, roles and Provenances, want %v", what, got, [3]int{practitioners, roles, provenances})
		}
	}
	count("a second sign-in", 2, 1, 1)
	w.atOnce(directories, w.signIn("locum", "Lo Cum"))
	count("two sign-ins at once", 4, 2, 3) // a Practitioner at each organisation, and a role at one

	// The name follows the issuer. Another one's is left alone, and so is the code of a role.
	before := w.all(token, "PractitionerRole")
	w.rename("R1", "Consultant of everything")
	w.must(directories[0].SignedIn(t.Context(), w.signIn("nurse", " Nora\n\u202e Nurse\x00 ")))
	if got := gjson.Parse(w.get(token, fhirUser).text); got.Get("name.0.text").Str != "Nora Nurse" || got.Get("meta.versionId").Str != "2" || got.Get("identifier.0.value").Str != "900000000103" {
		t.Errorf("SMART-442: after the issuer says another name: got %s", got.Raw)
	}
	if !w.audited("staff-rename", "Practitioner") {
		t.Error("SMART-442: the audit trail does not have the new name")
	}
	w.must(directories[1].SignedIn(t.Context(), w.signIn("nurse", "Nora Nurse")))
	w.must(directories[1].SignedIn(t.Context(), w.signIn("nurse", "")))
	w.must(directories[0].SignedIn(t.Context(), w.signIn("doctor", "Doctor No")))
	if got := gjson.Parse(w.get(token, fhirUser).text); got.Get("meta.versionId").Str != "2" {
		t.Errorf("SMART-442: after the same name: got %s", got.Raw)
	}
	if got := gjson.Parse(w.get(token, "Practitioner/t1.doctor").text); got.Get("name").Exists() || got.Get("meta.versionId").Str != "1" {
		t.Errorf("SMART-442: the Practitioner of a source was renamed: %s", got.Raw)
	}
	if after := w.all(token, "PractitionerRole"); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("SMART-442: a PractitionerRole was changed: %v", after)
	}
	count("names", 4, 2, 4)
}

// rename gives a role of the region another name.
func (w *world) rename(code, name string) {
	for i := range w.policy.Roles {
		if w.policy.Roles[i].Code == code {
			w.policy.Roles[i].Name = name
		}
	}
}

// unmade makes the server fail to make resources for a member of staff.
func (w *world) unmade(subject string) {
	w.Helper()
	digests, err := secret.NewDigester(bytes.Repeat([]byte("d"), 32))
	w.must(err)
	key := "smart/staff/" + digests.Of(site+"/sample-sign-in/sample-staff\x00"+subject)
	w.must(w.engine.Insert(w.Context(), key, []byte("no JSON"), time.Time{}))
}

// TestSMART442Fails: a sign-in whose resources cannot be made goes on, without fhirUser (SMART-384).
func TestSMART442Fails(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.unmade("900000000103")
	a := w.exchange("clinical", w.browser().journey("clinical", "openid fhirUser user/Condition.rs", "nurse", "").Get("code"))
	if got := claimsOf(t, a.str("id_token")); a.code != 200 || got.Get("fhirUser").Exists() || contains(a.str("scope"), "fhirUser") || a.body["fhirContext"] != nil || w.get(a.str("access_token"), "Condition").code != 200 {
		t.Errorf("SMART-384: got %s with the scope %s and the context %v", got.Raw, a.str("scope"), a.body["fhirContext"])
	}
	if !strings.Contains(w.log.String(), "could not be made") || strings.Contains(w.log.String(), "900000000103") {
		t.Errorf("SMART-384: the log has no failure, or the number: %s", w.log.String())
	}
}

// number is the identifier of a member of staff, and profileID that of a role, as members of a resource.
func number(value string) string {
	return `"identifier":[{"system":"` + sdsUserID + `","value":"` + value + `"}]`
}

func profileID(value string) string {
	return `"identifier":[{"system":"` + roleProfile + `","value":"` + value + `"}]`
}

// before returns a directory in which something happens after the person was looked for, and before the first commit.
func before(d *staff.Directory, happens func()) *staff.Directory {
	one := *d
	var first sync.Once
	one.Clock = func() time.Time { // it is asked when a commit is about to be made
		first.Do(happens)
		return d.Clock()
	}
	return &one
}

// TestSMART442Sent: what a source sends while somebody signs in is taken as it is, and nothing is made beside it; the person can sign in.
func TestSMART442Sent(t *testing.T) {
	w, directories := newStaffWorld(t, 1)
	w.profile("nurse", "T1", "R1", "555000000103")
	d := before(directories[0], func() {
		w.put("Practitioner", "nurse", number("900000000103"))
		w.put("PractitionerRole", "nurse", profileID("555000000103")+`,"practitioner":{"reference":"Practitioner/t1.nurse"}`)
	})
	w.must(d.SignedIn(t.Context(), w.signIn("nurse", "Nurse")))
	back := w.browser().journey("clinical", "openid fhirUser user/Condition.rs", "nurse", "")
	got := claimsOf(t, w.exchange("clinical", back.Get("code")).str("id_token")).Get("fhirUser").Str
	people, roles := w.ownAt("Practitioner", "T1", "900000000103"), w.ownAt("PractitionerRole", "T1", "555000000103")
	if fmt.Sprint(people, roles) != "[t1.nurse] [t1.nurse]" || got != base+"/Practitioner/t1.nurse" {
		t.Errorf("SMART-442, 443: got the Practitioners %v, the roles %v and the fhirUser %q", people, roles, got)
	}

	// The same for a Practitioner and for a role alone.
	d = before(directories[0], func() { w.put("Practitioner", "locum", number("900000000105")) })
	w.must(d.SignedIn(t.Context(), w.signIn("locum", "Lo Cum")))
	if people := w.ownAt("Practitioner", "T1", "900000000105"); fmt.Sprint(people) != "[t1.locum]" {
		t.Errorf("SMART-442: a Practitioner that was sent meanwhile: got %v", people)
	}
	w.profile("doctor", "T1", "R1", "555000000102")
	d = before(directories[0], func() { w.put("PractitionerRole", "doctor", profileID("555000000102")) })
	w.must(d.SignedIn(t.Context(), w.signIn("doctor", "Doctor")))
	if roles := w.ownAt("PractitionerRole", "T1", "555000000102"); fmt.Sprint(roles) != "[t1.doctor]" {
		t.Errorf("SMART-442: a role that was sent meanwhile: got %v", roles)
	}
}

// TestSMART442Hidden: beside a resource of the organisation that the person may not see nothing is made, and the sign-in goes on without
// one; it is not made either once the source has removed its own.
func TestSMART442Hidden(t *testing.T) {
	const restricted = `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},`
	w, directories := newStaffWorld(t, 1)
	w.profile("nurse", "T1", "R1", "555000000103")
	w.profile("doctor", "T1", "R1", "555000000102")
	w.put("Practitioner", "nurse", restricted+number("900000000103"))
	w.put("PractitionerRole", "doctor", restricted+profileID("555000000102")+`,"practitioner":{"reference":"Practitioner/t1.doctor"}`)
	nurse := w.signIn("nurse", "Nurse")
	for range 2 {
		w.must(directories[0].SignedIn(t.Context(), nurse))
		w.must(directories[0].SignedIn(t.Context(), w.signIn("doctor", "Doctor")))
	}
	a := w.exchange("clinical", w.browser().journey("clinical", "openid fhirUser user/*.rs", "nurse", "").Get("code"))
	if got := claimsOf(t, a.str("id_token")); a.code != 200 || got.Get("fhirUser").Exists() || w.get(a.str("access_token"), "Practitioner/t1.nurse").code != 404 {
		t.Errorf("SMART-384: beside a hidden Practitioner: got %d %s", a.code, got.Raw)
	}
	count := func(what string, want [3]int) {
		t.Helper()
		if got := [3]int{w.countOf("Practitioner"), w.countOf("PractitionerRole"), w.countOf("Provenance")}; got != want {
			t.Errorf("SMART-442: %s: got %v Practitioners, roles and Provenances, want %v", what, got, want)
		}
	}
	count("beside hidden ones", [3]int{2, 1, 0})
	w.remove("Practitioner", "nurse")
	w.must(directories[0].SignedIn(t.Context(), nurse))
	count("after the hidden Practitioner was removed", [3]int{1, 1, 0})
	if strings.Contains(w.log.String(), "could not be made") {
		t.Errorf("SMART-442: a hidden resource is no failure: %s", w.log.String())
	}
}

// TestSMART442Several: where a source has several and removes them all, none is made.
func TestSMART442Several(t *testing.T) {
	w, directories := newStaffWorld(t, 1)
	w.put("Practitioner", "nurse", number("900000000103"))
	w.put("Practitioner", "nurse2", number("900000000103"))
	w.must(directories[0].SignedIn(t.Context(), w.signIn("nurse", "Nurse")))
	w.remove("Practitioner", "nurse")
	w.remove("Practitioner", "nurse2")
	w.must(directories[0].SignedIn(t.Context(), w.signIn("nurse", "Nurse")))
	if got := w.ownAt("Practitioner", "T1", "900000000103"); len(got) != 0 {
		t.Errorf("SMART-442: after the source has removed both: got %v", got)
	}
}

// TestSMART442Separate: what is made for an organisation is the same, ids and instants apart, whatever another organisation has sent, and
// names nothing of it (identity.md, third sentence; IDN-124).
func TestSMART442Separate(t *testing.T) {
	told := func(sent bool) (out []string) {
		w, directories := newStaffWorld(t, 1)
		w.profile("locum", "G1", "R3", "555000000105")
		if sent {
			w.put("Practitioner", "locum", number("900000000105"))
			w.put("PractitionerRole", "locum", profileID("555000000105")+`,"practitioner":{"reference":"Practitioner/t1.locum"}`)
		}
		for i := range w.policy.People {
			if p := &w.policy.People[i]; p.User == "locum" {
				p.Organisation, p.Role, p.Roles = "G1", "R3", []policy.RoleAt{{Organisation: "T1", Role: "R1"}}
			}
		}
		w.must(directories[0].SignedIn(t.Context(), w.signIn("locum", "Lo Cum")))
		own := w.ownAt("Practitioner", "G1", "900000000105")
		for _, typ := range []string{"Practitioner", "PractitionerRole", "Provenance"} {
			found := gjson.Get(w.send("GET", "practice-feed", typ+"?_count=50", "").Body.String(), "entry.#.resource").Array()
			for _, one := range found {
				out = append(out, fmt.Sprint(typ, one.Get("name.0.text"), one.Get("organization"), one.Get("target.#")))
				if typ == "PractitionerRole" && (len(own) != 1 || one.Get("practitioner.reference").Str != "Practitioner/"+own[0]) {
					t.Errorf("SMART-442: the role names %s, and the Practitioner of its organisation is %v", one.Get("practitioner").Raw, own)
				}
			}
		}
		return out
	}
	with, without := told(true), told(false)
	if fmt.Sprint(with) != fmt.Sprint(without) || len(with) != 3 {
		t.Errorf("IDN-124: the feed of the practice is told %q, and %q where the trust has sent nothing", with, without)
	}
}
