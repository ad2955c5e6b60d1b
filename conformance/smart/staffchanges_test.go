package smart

import (
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/store"
)

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
