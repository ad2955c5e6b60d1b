package smart

import (
	"bytes"
	"fmt"
	"net/url"
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

// TestSMART442Removed: what a source has removed is not made again.
func TestSMART442Removed(t *testing.T) {
	w, directories := newStaffWorld(t, 1)
	w.must(directories[0].SignedIn(t.Context(), w.signIn("nurse", "Nurse")))
	token := w.exchange("clinical", w.browser().journey("clinical", "user/*.rs", "doctor", "").Get("code")).str("access_token")
	id := ""
	for _, one := range w.all(token, "Practitioner") {
		if one.Get("identifier.0.value").Str == "900000000103" {
			id = one.Get("id").Str
		}
	}
	if got := w.send("DELETE", "feed", "Practitioner/"+id, ""); got.Code != 204 {
		t.Fatalf("SMART-442: the source removes its Practitioner %q: got %d %s", id, got.Code, got.Body)
	}
	w.must(directories[0].SignedIn(t.Context(), w.signIn("nurse", "Nurse")))
	w.must(directories[0].SignedIn(t.Context(), w.signIn("nurse", "Another name")))
	a := w.exchange("clinical", w.browser().journey("clinical", "openid fhirUser user/*.rs", "nurse", "").Get("code"))
	if got := claimsOf(t, a.str("id_token")); got.Get("fhirUser").Exists() || len(w.all(token, "Practitioner")) != 1 {
		t.Errorf("SMART-384, 442: got %s and %d Practitioners", got.Raw, len(w.all(token, "Practitioner")))
	}
}

// number is the identifier of a member of staff, and profileID that of a role, as members of a resource.
func number(value string) string {
	return `"identifier":[{"system":"` + sdsUserID + `","value":"` + value + `"}]`
}
func profileID(value string) string {
	return `"identifier":[{"system":"` + roleProfile + `","value":"` + value + `"}]`
}

// TestSMART441: only organisations for which somebody works say who that is: another one neither becomes the user, nor gives a name, nor
// keeps the user out. A resource that is not in use is nobody.
func TestSMART441(t *testing.T) {
	w, directories := newStaffWorld(t, 1)
	w.profile("doctor", "T1", "R1", "555000000102")
	w.profile("nurse", "T1", "R1", "555000000103")
	plant := func(address, body string) {
		t.Helper()
		if got := w.send("PUT", "practice-feed", address, body); got.Code != 201 {
			t.Fatalf("put %s: %d %s", address, got.Code, got.Body)
		}
	}
	name := `,"name":[{"text":"Somebody Else"}]`
	plant("Practitioner/g1.doctor", number("900000000102")+name)
	plant("Practitioner/g1.nurse", number("900000000103")+name)
	plant("Practitioner/g1.nurse2", number("900000000103")+name)
	plant("PractitionerRole/g1.r", profileID("555000000103")+`,"practitioner":{"reference":"Practitioner/g1.nurse"}`)
	for _, id := range []string{"o1", "o2"} {
		plant("Organization/g1."+id, `"identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"T1"}],"name":"No trust"`)
	}
	claims := func(user string) gjson.Result {
		t.Helper()
		a := w.exchange("clinical", w.browser().journey("clinical", "openid fhirUser profile user/*.rs", user, "", prompt("consent")).Get("code"))
		return claimsOf(t, a.str("id_token"))
	}
	if got := claims("doctor"); got.Get("fhirUser").Str != base+"/Practitioner/t1.doctor" || strings.Contains(got.Raw, "Somebody") {
		t.Errorf("SMART-441: beside a Practitioner of another organisation: got %s", got.Raw)
	}
	got := claims("nurse")
	if id := strings.TrimPrefix(got.Get("fhirUser").Str, base+"/Practitioner/"); id == "" || strings.HasPrefix(id, "g1.") || got.Get("name").Str != "nurse" {
		t.Errorf("SMART-441: a Practitioner of another organisation instead of one: got %s", got.Raw)
	}
	made := 0
	token := w.exchange("clinical", w.browser().journey("clinical", "user/*.rs", "doctor", "").Get("code")).str("access_token")
	for _, role := range w.all(token, "PractitionerRole") {
		if role.Get("id").Str != "g1.r" {
			made++
			if role.Get("organization.reference").Exists() {
				t.Errorf("SMART-441: a role at an Organization that another organisation made: %s", role.Raw)
			}
		}
	}
	if made != 2 {
		t.Errorf("SMART-442: %d roles were made, want those of the doctor and of the nurse", made)
	}

	// The Practitioner of the organisation for which somebody acts counts first; failing that, one of another organisation for which the
	// same person works.
	w.put("Practitioner", "locum", number("900000000105"))
	w.must(directories[0].SignedIn(t.Context(), w.signIn("locum", "Lo Cum")))
	here := w.ownAt("Practitioner", "G1", "900000000105")
	if len(here) != 1 {
		t.Fatalf("SMART-442: the Practitioners of the locum at the practice: %v", here)
	}
	atPractice := func() gjson.Result {
		t.Helper()
		locum := w.browser()
		locum.ask("clinical", "openid fhirUser user/*.rs", prompt("consent"))
		locum.inRole("locum", "G1 R3")
		return claimsOf(t, w.exchange("clinical", sentBack(t, locum.allow()).Get("code")).str("id_token"))
	}
	if got := atPractice(); got.Get("fhirUser").Str != base+"/Practitioner/"+here[0] {
		t.Errorf("SMART-441: at an organisation with its own Practitioner %v: got %s", here, got.Raw)
	}
	if got := w.send("DELETE", "practice-feed", "Practitioner/"+here[0], ""); got.Code != 204 {
		t.Fatalf("remove the Practitioner of the practice: %d %s", got.Code, got.Body)
	}
	if got := atPractice(); got.Get("fhirUser").Str != base+"/Practitioner/t1.locum" {
		t.Errorf("SMART-441: at another organisation: got %s", got.Raw)
	}

	// One that is not in use is nobody, and no other is made beside it.
	w.put("Practitioner", "doctor", number("900000000102")+`,"active":false`)
	before := w.countOf("Practitioner")
	if got := claims("doctor"); got.Get("fhirUser").Exists() || w.countOf("Practitioner") != before {
		t.Errorf("SMART-441: a Practitioner that is not in use: got %s and %d Practitioners, %d before", got.Raw, w.countOf("Practitioner"), before)
	}
	w.put("Practitioner", "doctor2", number("900000000102")+`,"active":true`)
	if got := claims("doctor"); got.Get("fhirUser").Str != base+"/Practitioner/t1.doctor2" {
		t.Errorf("SMART-441: beside one that is not in use: got %s", got.Raw)
	}
	w.put("Practitioner", "doctor3", number("900000000102"))
	if back := w.browser().journey("clinical", "openid fhirUser user/Condition.rs", "doctor", "", prompt("consent")); back.Get("error") != "access_denied" {
		t.Errorf("SMART-443: two in use: got %v", back)
	}
}

// TestSMART442Found: what was found at a sign-in, and not made, is not made either when its source removes it.
func TestSMART442Found(t *testing.T) {
	w, directories := newStaffWorld(t, 1)
	w.profile("doctor", "T1", "R1", "555000000102")
	w.put("PractitionerRole", "r", profileID("555000000102")+`,"practitioner":{"reference":"Practitioner/t1.doctor"}`)
	in := w.signIn("doctor", "Doctor")
	w.must(directories[0].SignedIn(t.Context(), in))
	for _, address := range []string{"PractitionerRole/t1.r", "Practitioner/t1.doctor"} {
		if got := w.send("DELETE", "feed", address, ""); got.Code != 204 {
			t.Fatalf("remove %s: %d %s", address, got.Code, got.Body)
		}
		w.must(directories[0].SignedIn(t.Context(), in))
		w.must(directories[0].SignedIn(t.Context(), w.signIn("doctor", "Another name")))
	}
	if got := [2]int{w.countOf("Practitioner"), w.countOf("PractitionerRole")}; got != [2]int{} {
		t.Errorf("SMART-442: after the source has removed them: got %v Practitioners and roles", got)
	}

	// A role that was removed is not made again for a Practitioner who is there.
	w.profile("nurse", "T1", "R1", "555000000103")
	in = w.signIn("nurse", "Nurse")
	w.must(directories[0].SignedIn(t.Context(), in))
	token := w.exchange("clinical", w.browser().journey("clinical", "user/*.rs", "nurse", "").Get("code")).str("access_token")
	role := w.all(token, "PractitionerRole")[0].Get("id").Str
	if got := w.send("DELETE", "feed", "PractitionerRole/"+role, ""); got.Code != 204 {
		t.Fatalf("remove the role %q: %d %s", role, got.Code, got.Body)
	}
	w.must(directories[0].SignedIn(t.Context(), in))
	if n := w.countOf("PractitionerRole"); n != 0 {
		t.Errorf("SMART-442: a role that its source removed was made again: %d", n)
	}
}

// TestSMART442Left: an organisation that has left the agreement is the source of nothing more: neither a name nor a resource is written
// (SMART-204).
func TestSMART442Left(t *testing.T) {
	w, directories := newStaffWorld(t, 1)
	w.must(directories[0].SignedIn(t.Context(), w.signIn("nurse", "Nurse")))
	w.policy.Agreement.Organisations = []string{"G1"}
	before := w.recorded("staff-rename") + w.recorded("staff-register")
	w.must(directories[0].SignedIn(t.Context(), w.signIn("nurse", "Another name")))
	if n := w.recorded("staff-rename") + w.recorded("staff-register"); n != before {
		t.Errorf("SMART-204: after the organisation has left: %d writes", n-before)
	}
}

// TestSMART442Moved: who leaves an organisation for another is a Practitioner there too.
func TestSMART442Moved(t *testing.T) {
	w, directories := newStaffWorld(t, 1)
	w.must(directories[0].SignedIn(t.Context(), w.signIn("nurse", "Nurse")))
	before := w.countOf("Practitioner")
	in := w.signIn("nurse", "Nurse")
	in.Person.Organisation, in.Person.Role = "G1", "R3"
	for i := range w.policy.People {
		if p := &w.policy.People[i]; p.User == "nurse" {
			p.Organisation, p.Role = "G1", "R3"
		}
	}
	w.must(directories[0].SignedIn(t.Context(), in))
	w.must(directories[0].SignedIn(t.Context(), in))
	if n := w.countOf("Practitioner"); n != before+1 {
		t.Errorf("SMART-442: after a move to another organisation: %d Practitioners, %d before", n, before)
	}
}

// TestSMART383: the role in which staff act travels in fhirContext and at introspection, for an app that learns who the user is. It is a
// PractitionerRole with the id and the code of the role, of the user and of the organisation (SMART-441); of several none is picked
// (SMART-443).
func TestSMART383(t *testing.T) {
	w := newWorld(t, nil, 1)
	const id = "555000000102"
	w.profile("doctor", "T1", "R1", id)
	w.put("Organization", "o", `"identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"T1"}],"name":"Trust"`)
	w.put("Organization", "other", `"identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"G1"}],"name":"Practice"`)
	body := func(code, practitioner, organization string) string {
		return `"identifier":[{"system":"` + roleProfile + `","value":"` + id + `"}],"code":[{"coding":[{"system":"https://fhir.hl7.org.uk/CodeSystem/UKCore-SDSJobRoleName","code":"` + code + `"}]}],` +
			`"practitioner":{"reference":"` + practitioner + `"},"organization":` + organization
	}
	here, ods := `{"reference":"Organization/t1.o"}`, func(code string) string {
		return `{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"` + code + `"}}`
	}
	issue := func(scope string) answer {
		t.Helper()
		return w.exchange("clinical", w.browser().journey("clinical", scope, "doctor", "", prompt("consent")).Get("code"))
	}
	for _, c := range []struct {
		name, code, practitioner, organization string
		shown                                  bool
	}{
		{"of the user", "R1", "Practitioner/t1.doctor", here, true},
		{"with the ODS code alone", "R1", "Practitioner/t1.doctor", ods("T1"), true},
		{"with another code", "R3", "Practitioner/t1.doctor", here, false},
		{"of another Practitioner", "R1", "Practitioner/t1.somebody", here, false},
		{"of another organisation", "R1", "Practitioner/t1.doctor", `{"reference":"Organization/t1.other"}`, false},
		{"with another ODS code", "R1", "Practitioner/t1.doctor", ods("G1"), false},
	} {
		w.put("PractitionerRole", "r", body(c.code, c.practitioner, c.organization))
		a := issue("openid fhirUser user/Condition.rs")
		context := gjson.Get(a.text, "fhirContext").Raw
		if shown := context == `[{"reference":"PractitionerRole/t1.r"}]`; shown != c.shown || !shown && context != "" {
			t.Errorf("SMART-383: a PractitionerRole %s: got the context %s", c.name, context)
		}
		form, change := w.as("ehr", url.Values{"token": {a.str("access_token")}})
		if got := gjson.Get(w.post("/oauth/introspect", form, change).text, "fhirContext").Raw; got != context {
			t.Errorf("SMART-383: introspection, a PractitionerRole %s: got %s", c.name, got)
		}
	}
	w.put("PractitionerRole", "r", body("R1", "Practitioner/t1.doctor", here))
	if a := issue("openid user/Condition.rs"); gjson.Get(a.text, "fhirContext").Exists() {
		t.Errorf("SMART-370, 383: an app that does not learn who the user is: got %s", a.text)
	}
	launch := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.ann", "fhirContext": []any{map[string]any{"reference": "Observation/t1.ann-laboratory"}}})
	a := w.exchange("clinical", w.browser().journey("clinical", "launch openid fhirUser user/Condition.rs", "doctor", "", func(v url.Values) { v.Set("launch", launch.str("launch")) }).Get("code"))
	if got := gjson.Get(a.text, "fhirContext").Raw; got != `[{"reference":"Observation/t1.ann-laboratory"},{"reference":"PractitionerRole/t1.r"}]` {
		t.Errorf("SMART-373, 383: with the context of a launch: got %s", got)
	}
	w.put("PractitionerRole", "r2", body("R1", "Practitioner/t1.doctor", here))
	if back := w.browser().journey("clinical", "openid fhirUser user/Condition.rs", "doctor", "", prompt("consent")); back.Get("error") != "access_denied" || !strings.Contains(w.log.String(), "ALERT: several resources claim to be one user") {
		t.Errorf("SMART-443: two roles with one id: got %v", back)
	}
	told := ""
	for r, err := range w.engine.Records(t.Context(), 1) {
		w.must(err)
		if at := gjson.ParseBytes(r.Payload); at.Get("interaction").Str == "identity-conflict" {
			told = at.Get("decision.reason").Str + ": " + at.Get("decision.detail").Str
		}
	}
	if told != "SEVERAL_RESOURCES: PractitionerRole: several resources have the number of the user or of the role" {
		t.Errorf("SMART-443: the audit trail has %q", told)
	}
}

// TestSMART442Changed: a Practitioner that its source has changed since it was made is left alone: it may be somebody else's by now.
func TestSMART442Changed(t *testing.T) {
	w, directories := newStaffWorld(t, 1)
	w.must(directories[0].SignedIn(t.Context(), w.signIn("nurse", "Nurse")))
	token := w.exchange("clinical", w.browser().journey("clinical", "user/*.rs", "doctor", "").Get("code")).str("access_token")
	id := ""
	for _, one := range w.all(token, "Practitioner") {
		if one.Get("identifier.0.value").Str == "900000000103" {
			id = one.Get("id").Str
		}
	}
	for what, body := range map[string]string{
		"another number": `"identifier":[{"system":"https://fhir.nhs.uk/Id/sds-user-id","value":"900000000777"}],"name":[{"text":"Nurse"}]`,
		"another name":   `"identifier":[{"system":"https://fhir.nhs.uk/Id/sds-user-id","value":"900000000103"}],"name":[{"family":"Patel","given":["Asha"]}]`,
	} {
		if got := w.send("PUT", "feed", "Practitioner/"+id, body); got.Code != 200 {
			t.Fatalf("SMART-442: %s: got %d %s", what, got.Code, got.Body)
		}
		before := gjson.Parse(w.get(token, "Practitioner/"+id).text)
		w.must(directories[0].SignedIn(t.Context(), w.signIn("nurse", "Nora "+what)))
		if got := gjson.Parse(w.get(token, "Practitioner/"+id).text); got.Get("meta.versionId").Str != before.Get("meta.versionId").Str {
			t.Errorf("SMART-442: %s: got %s", what, got.Raw)
		}
	}
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

// TestSMART442Returned: what a source has removed is not made again for somebody who has worked elsewhere meanwhile, neither the
// Practitioner nor the role.
func TestSMART442Returned(t *testing.T) {
	w, directories := newStaffWorld(t, 1)
	w.profile("nurse", "T1", "R1", "555000000103")
	move := func(organisation, role string) {
		for i := range w.policy.People {
			if p := &w.policy.People[i]; p.User == "nurse" {
				p.Organisation, p.Role = organisation, role
			}
		}
		w.must(directories[0].SignedIn(t.Context(), w.signIn("nurse", "Nurse")))
	}
	move("T1", "R1")
	made := append(w.ownAt("Practitioner", "T1", "900000000103"), w.ownAt("PractitionerRole", "T1", "555000000103")...)
	if len(made) != 2 {
		t.Fatalf("SMART-442: got %v, want a Practitioner and a role", made)
	}
	move("G1", "R3")
	for i, typ := range []string{"Practitioner", "PractitionerRole"} {
		if got := w.send("DELETE", "feed", typ+"/"+made[i], ""); got.Code != 204 {
			t.Fatalf("remove the %s: %d %s", typ, got.Code, got.Body)
		}
	}
	move("T1", "R1")
	if again := append(w.ownAt("Practitioner", "T1", "900000000103"), w.ownAt("PractitionerRole", "T1", "555000000103")...); len(again) != 0 {
		t.Errorf("SMART-442: what the source had removed was made again: %v", again)
	}
	if got := w.ownAt("Practitioner", "G1", "900000000103"); len(got) != 1 {
		t.Errorf("SMART-442: at the other organisation: got %v", got)
	}
}

// TestSMART442Names: the name of each Practitioner that was made for somebody follows the issuer, whatever another organisation has sent;
// not that of one that was sent, nor one of an organisation that has left the agreement.
func TestSMART442Names(t *testing.T) {
	w, directories := newStaffWorld(t, 1)
	sign := func(name string) { w.must(directories[0].SignedIn(t.Context(), w.signIn("locum", name))) }
	name := func(organisation string) (names string) {
		t.Helper()
		w.must(w.engine.Read(t.Context(), func(snap store.Snapshot) error {
			for _, id := range w.ownAt("Practitioner", organisation, "900000000105") {
				d, err := snap.Get(t.Context(), store.Ref{Type: "Practitioner", ID: id})
				if err != nil {
					return err
				}
				names += gjson.GetBytes(d.Body, "name.0.text").Str
			}
			return nil
		}))
		return names
	}
	sign("Lo Cum")
	sign("Lou Cumber")
	if name("T1") != "Lou Cumber" || name("G1") != "Lou Cumber" {
		t.Errorf("SMART-442: after the issuer says another name: got %q and %q", name("T1"), name("G1"))
	}
	for _, made := range w.ownAt("Practitioner", "G1", "900000000105") {
		if got := w.send("DELETE", "practice-feed", "Practitioner/"+made, ""); got.Code != 204 {
			t.Fatalf("remove the Practitioner of the practice: %d %s", got.Code, got.Body)
		}
	}
	if got := w.send("PUT", "practice-feed", "Practitioner/g1.locum", number("900000000105")+`,"name":[{"text":"Lou Cumber"}]`); got.Code != 201 {
		t.Fatalf("put a Practitioner of the practice: %d %s", got.Code, got.Body)
	}
	sign("Lou Cumber")
	sign("Louise Cumber")
	if name("T1") != "Louise Cumber" || name("G1") != "Lou Cumber" {
		t.Errorf("SMART-442: beside one that a source has sent: got %q and %q", name("T1"), name("G1"))
	}
	w.policy.Agreement.Organisations = []string{"G1"}
	sign("L. Cumber")
	if name("T1") != "Louise Cumber" {
		t.Errorf("SMART-204: the name at an organisation that has left the agreement: got %q", name("T1"))
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

// TestSMART441Left: an organisation that has left the agreement does not say who somebody is (SMART-204).
func TestSMART441Left(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.unmade("900000000105")
	if got := w.send("PUT", "practice-feed", "Practitioner/g1.locum", number("900000000105")+`,"name":[{"text":"Lo Cum"}]`); got.Code != 201 {
		t.Fatalf("put a Practitioner of the practice: %d %s", got.Code, got.Body)
	}
	for _, c := range []struct {
		signed []string
		want   string
	}{{[]string{"T1", "G1"}, base + "/Practitioner/g1.locum"}, {[]string{"T1"}, ""}} {
		w.policy.Agreement.Organisations = c.signed
		b := w.browser()
		b.ask("clinical", "openid fhirUser profile user/*.rs", prompt("consent"))
		if len(c.signed) > 1 { // there is a role to choose
			b.inRole("locum", "T1 R1")
		} else {
			b.signIn("locum")
		}
		got := claimsOf(t, w.exchange("clinical", sentBack(t, b.allow()).Get("code")).str("id_token"))
		if got.Get("fhirUser").Str != c.want || got.Get("name").Exists() != (c.want != "") {
			t.Errorf("SMART-204, 441: with %v in the agreement: got %s", c.signed, got.Raw)
		}
	}
}

// TestSMART383Refresh: at a refresh the user and the role are looked up again. What is not the user's any more is dropped: the ID token,
// introspection and the right to read it (SMART-261, 393) name nothing instead of it, nor later when it is the user's again, and the audit
// record of the refresh says so. Several are an alert (SMART-443).
func TestSMART383Refresh(t *testing.T) {
	const id = "555000000102"
	role := func(code string) string {
		return profileID(id) + `,"code":[{"coding":[{"system":"https://fhir.hl7.org.uk/CodeSystem/UKCore-SDSJobRoleName","code":"` + code + `"}]}],"practitioner":{"reference":"Practitioner/t1.doctor"},` +
			`"organization":{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"T1"}}`
	}
	for _, c := range []struct {
		name       string
		change     func(*world)
		user, role bool // the refresh names it still
		changed    string
		alert      bool
	}{
		{"nothing changes", func(w *world) {
			w.put("Practitioner", "doctor", number("900000000102")+`,"name":[{"text":"Another Name"}]`)
		}, true, true, "", false},
		{"it is somebody else's", func(w *world) { w.put("Practitioner", "doctor", number("900000000777")) }, false, false, "fhirUser practitionerRole", false},
		{"it is not in use", func(w *world) { w.put("Practitioner", "doctor", number("900000000102")+`,"active":false`) }, false, false, "fhirUser practitionerRole", false},
		{"it is removed, and another one is sent", func(w *world) {
			w.remove("Practitioner", "doctor")
			w.put("Practitioner", "doctor2", number("900000000102"))
		}, false, false, "fhirUser practitionerRole", false},
		{"another one is sent", func(w *world) { w.put("Practitioner", "doctor2", number("900000000102")) }, false, false, "fhirUser practitionerRole", true},
		{"the role has another code", func(w *world) { w.put("PractitionerRole", "r", role("R3")) }, true, false, "practitionerRole", false},
		{"the role is removed", func(w *world) { w.remove("PractitionerRole", "r") }, true, false, "practitionerRole", false},
		{"another role is sent", func(w *world) { w.put("PractitionerRole", "r2", role("R1")) }, true, false, "practitionerRole", true},
	} {
		w := newWorld(t, nil, 1)
		w.profile("doctor", "T1", "R1", id)
		w.put("Practitioner", "doctor", number("900000000102")+`,"name":[{"text":"Doctor"}]`)
		w.put("PractitionerRole", "r", role("R1"))
		handle := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob", "fhirContext": []any{map[string]any{"reference": "Observation/t1.bob-laboratory"}}})
		const scope = "launch openid fhirUser profile patient/Observation.rs online_access"
		first := w.exchange("clinical", w.browser().journey("clinical", scope, "doctor", "", func(v url.Values) { v.Set("launch", handle.str("launch")) }).Get("code"))
		check := func(when string, a answer, user, role bool) {
			t.Helper()
			if a.code != 200 {
				t.Fatalf("SMART-383: %s, %s: got %d %s", c.name, when, a.code, a.text)
			}
			named, read := "", 403
			if user {
				named, read = base+"/Practitioner/t1.doctor", 200
			}
			context := `[{"reference":"Observation/t1.bob-laboratory"},{"reference":"PractitionerRole/t1.r"}]`
			if !role {
				context = `[{"reference":"Observation/t1.bob-laboratory"}]`
			}
			form, change := w.as("ehr", url.Values{"token": {a.str("access_token")}})
			told := w.post("/oauth/introspect", form, change)
			claims := claimsOf(t, a.str("id_token"))
			if claims.Get("fhirUser").Str != named || claims.Get("name").Exists() != user || claims.Get("sub").Str == "" || gjson.Get(a.text, "fhirContext").Raw != context {
				t.Errorf("SMART-383: %s, %s: got the claims %s and the context %s", c.name, when, claims.Raw, gjson.Get(a.text, "fhirContext").Raw)
			}
			if told.body["active"] != true || told.str("fhirUser") != named || gjson.Get(told.text, "fhirContext").Raw != context || told.str("scope") != a.str("scope") {
				t.Errorf("SMART-393: %s, %s: got %s", c.name, when, told.text)
			}
			if got := contains(a.str("scope"), "fhirUser") && contains(a.str("scope"), "profile"); got != user || !contains(a.str("scope"), "patient/Observation.rs") {
				t.Errorf("SMART-384: %s, %s: got the scopes %q", c.name, when, a.str("scope"))
			}
			if got := w.get(a.str("access_token"), "Practitioner/t1.doctor").code; got != read {
				t.Errorf("SMART-261: %s, %s: the Practitioner is read with %d, want %d", c.name, when, got, read)
			}
		}
		refresh := func(a answer, with url.Values) answer {
			with.Set("grant_type", "refresh_token")
			with.Set("refresh_token", a.str("refresh_token"))
			return w.token("clinical", with)
		}
		check("at first", first, true, true)
		c.change(w)
		again := refresh(first, url.Values{})
		check("at the refresh", again, c.user, c.role)
		form, change := w.as("ehr", url.Values{"token": {first.str("access_token")}})
		if told := w.post("/oauth/introspect", form, change); told.body["active"] != true || (told.str("fhirUser") != "") != c.user {
			t.Errorf("SMART-393: %s: the token of before is told as %s", c.name, told.text)
		}
		fields := ""
		for r, err := range w.engine.Records(t.Context(), 1) {
			w.must(err)
			if at := gjson.ParseBytes(r.Payload); at.Get("interaction").Str == "token-refresh" {
				for _, one := range at.Get("changed").Array() {
					fields = strings.TrimSpace(fields + " " + one.Get("field").Str)
				}
			}
		}
		if alert := strings.Contains(w.log.String(), "ALERT: several resources claim to be one user"); fields != c.changed || alert != c.alert {
			t.Errorf("SMART-383, 443: %s: the audit record of the refresh has the changes %q, want %q; an alert: %t", c.name, fields, c.changed, alert)
		}
		// With the scopes that were granted at first, and after all is as it was.
		w.remove("Practitioner", "doctor2")
		w.remove("PractitionerRole", "r2")
		w.put("Practitioner", "doctor", number("900000000102"))
		w.put("PractitionerRole", "r", role("R1"))
		check("at another refresh", refresh(again, url.Values{"scope": {scope}}), c.user, c.role)
	}
}

// TestSMART383Employer: at a refresh the Practitioner of another employer is not the user any more once the organisation for which the user
// acts has its own.
func TestSMART383Employer(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.unmade("900000000105")
	if got := w.send("PUT", "practice-feed", "Practitioner/g1.locum", number("900000000105")); got.Code != 201 {
		t.Fatalf("put a Practitioner of the practice: %d %s", got.Code, got.Body)
	}
	handle := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "locum", "patient": "t1.bob"}).str("launch")
	back := w.browser().journey("clinical", "launch openid fhirUser user/Condition.rs online_access", "locum", "", func(v url.Values) { v.Set("launch", handle) })
	a := w.exchange("clinical", back.Get("code"))
	check := func(when, want string) {
		t.Helper()
		if got := claimsOf(t, a.str("id_token")).Get("fhirUser").Str; a.code != 200 || got != want {
			t.Errorf("SMART-383, 441: %s: got %d and the fhirUser %q, want %q", when, a.code, got, want)
		}
	}
	refresh := func() {
		a = w.token("clinical", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}})
	}
	check("at first", base+"/Practitioner/g1.locum")
	refresh()
	check("at a refresh", base+"/Practitioner/g1.locum")
	w.put("Practitioner", "locum", number("900000000105"))
	refresh()
	check("beside one of the trust", "")
}

// TestSMART383Patient: every Patient of the person is the user for a patient; one that is gone is not (SMART-148).
func TestSMART383Patient(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.put("Patient", "ann2", patientBody(annsNumber, "1960-01-02"))
	a := w.exchange("app", w.browser().journey("app", "openid fhirUser launch/patient patient/*.rs offline_access", "ann", "").Get("code"))
	check := func(what, patient, want string) {
		t.Helper()
		if got := claimsOf(t, a.str("id_token")).Get("fhirUser").Str; a.code != 200 || a.str("patient") != patient || got != want || contains(a.str("scope"), "fhirUser") != (want != "") {
			t.Errorf("SMART-148, 383: %s: got %d, the patient %q, the fhirUser %q and the scopes %q", what, a.code, a.str("patient"), got, a.str("scope"))
		}
	}
	refresh := func() {
		a = w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}})
	}
	check("at first", "t1.ann", base+"/Patient/t1.ann")
	refresh()
	check("at a refresh", "t1.ann", base+"/Patient/t1.ann")
	w.put("Patient", "aaa", patientBody(annsNumber, "1960-01-02"))
	refresh()
	check("with another lead Patient", "t1.aaa", base+"/Patient/t1.ann")
	w.remove("Patient", "aaa")
	w.remove("Patient", "ann")
	refresh()
	check("after the Patient is gone", "t1.ann2", "")
	refresh()
	check("later", "t1.ann2", "")
}

// TestSMART383Raced: a refresh that drops the user while the grant changes drops it from the grant as it is then; where the grant ends
// meanwhile it gives no token. Neither is the reuse of a token (SMART-342, 343).
func TestSMART383Raced(t *testing.T) {
	for _, ends := range []bool{false, true} {
		for after := 1; after <= 3; after++ { // look-ups of the grant
			var e *watched
			w := openWorld(t, func(clock func() time.Time) engine {
				e = &watched{Reference: storetest.NewReference(clock)}
				return e
			}, 1)
			handle := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}).str("launch")
			back := w.browser().journey("clinical", "launch openid fhirUser user/Condition.rs online_access", "doctor", "", func(v url.Values) { v.Set("launch", handle) })
			a := w.exchange("clinical", back.Get("code"))
			list, err := w.smart[0].Grants.OfUser(t.Context(), "doctor")
			w.must(err)
			if len(list) != 1 {
				t.Fatalf("got %d grants", len(list))
			}
			g, looked := list[0], 0
			w.put("Practitioner", "doctor", number("900000000777"))
			e.after = func(key string) {
				if key != "smart/grant/"+g.ID {
					return
				}
				if looked++; looked != after {
					return
				}
				if ends {
					w.must(w.smart[0].Grants.End(t.Context(), g.ID, g.Event("grant-end", "", ""), "a test"))
					return
				}
				value, err := e.Reference.Lookup(t.Context(), key)
				w.must(err)
				w.must(e.Swap(t.Context(), key, value, append(bytes.Clone(value), ' '), g.Ends.Add(time.Hour)))
			}
			again := w.token("clinical", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}})
			e.after = nil
			if looked < after {
				t.Fatalf("the grant was looked up %d times, want %d", looked, after)
			}
			if n := w.recorded("token-reuse"); n != 0 || (again.code == 200) == ends {
				t.Errorf("SMART-383: the grant ends: %t, after look-up %d: got %d %s and %d reuses", ends, after, again.code, again.text, n)
				continue
			}
			if got, err := w.smart[0].Grants.Get(t.Context(), g.ID); !ends && (err != nil || got.FHIRUser != "" || claimsOf(t, again.str("id_token")).Get("fhirUser").Exists()) {
				t.Errorf("SMART-383: after look-up %d: the grant names %q: %v", after, got.FHIRUser, err)
			}
		}
	}
}
