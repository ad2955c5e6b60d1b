package policy_test

import (
	"strings"
	"testing"

	"carerecord/consent/policy"
)

// The elements of the regional opt-out as the product writes it.
const (
	privacyScope           = `"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]}`
	sharingRefusedCategory = `"category":[{"coding":[{"system":"http://snomed.info/sct","code":"416409005"}]}]`
	optOutRule             = `"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTOUT"}]}`
	otherCat               = `"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}]`
	proxyCat               = `"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"INFA"}]}]`
	proxyRule              = `"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"parental-responsibility"}]}`
)

func consent(members ...string) []byte {
	return []byte(`{"resourceType":"Consent","patient":{"reference":"Patient/1"},"dateTime":"2026-03-01",` + strings.Join(members, ",") + `}`)
}

func scoped(coding string) string { return `"scope":{"coding":[` + coding + `]}` }

// TestRead: a Consent is NotADirective only where that is certain (CON-601, CON-641).
func TestRead(t *testing.T) {
	const (
		active = `"status":"active"`
		absent = `"scope":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}`
		system = `"system":"http://terminology.hl7.org/CodeSystem/consentscope"`
	)
	for _, c := range []struct {
		name    string
		members []string
		want    policy.Kind
	}{
		{"CON-501 the regional opt-out", []string{active, privacyScope, sharingRefusedCategory, optOutRule}, policy.OptOut},
		{"CON-641 with provision.type deny, as most profiles write it", []string{active, privacyScope, sharingRefusedCategory, optOutRule, `"provision":{"type":"deny"}`}, policy.OptOut},
		{"with a period", []string{active, privacyScope, sharingRefusedCategory, optOutRule, `"provision":{"type":"deny","period":{"start":"2020-01-01"}}`}, policy.OptOut},
		{"the code in another letter case and without a system", []string{active, scoped(`{"code":" Patient-Privacy"}`), `"category":[{"coding":[{"code":"416409005 "}]}]`, `"policyRule":{"coding":[{"code":"OptOut"}]}`}, policy.OptOut},
		{"systems as they are often spelt", []string{active, scoped(`{"system":"https://terminology.hl7.org/CodeSystem/consentscope/","code":"patient-privacy"}`), `"category":[{"coding":[{"system":"urn:oid:2.16.840.1.113883.6.96","code":"416409005"}]}]`, `"policyRule":{"coding":[{"system":"http://hl7.org/fhir/v3/ActCode","code":"OPTOUT"}]}`}, policy.OptOut},
		{"the second category", []string{active, privacyScope, `"category":[{"text":"x"},{"coding":[{"code":"59284-0"},{"code":"416409005"}]}]`, optOutRule}, policy.OptOut},

		{"narrowed by a condition", []string{active, privacyScope, sharingRefusedCategory, optOutRule, `"provision":{"type":"deny","class":[{"code":"Condition"}]}`}, policy.OtherDirective},
		{"narrowed by an actor", []string{active, privacyScope, sharingRefusedCategory, optOutRule, `"provision":{"actor":[{"role":{"coding":[{"code":"IRCP"}]},"reference":{"reference":"Organization/1"}}]}`}, policy.OtherDirective},
		{"with an exception", []string{active, privacyScope, sharingRefusedCategory, optOutRule, `"provision":{"type":"deny","provision":[{"type":"permit"}]}`}, policy.OtherDirective},
		{"a permit", []string{active, privacyScope, sharingRefusedCategory, optOutRule, `"provision":{"type":"permit"}`}, policy.OtherDirective},
		{"narrowed by an extension", []string{active, privacyScope, sharingRefusedCategory, optOutRule, `"provision":{"type":"deny","extension":[{"url":"u","valueString":"x"}]}`}, policy.OtherDirective},
		{"a type that is only an extension", []string{active, privacyScope, sharingRefusedCategory, optOutRule, `"provision":{"_type":{"extension":[{"url":"u","valueString":"x"}]}}`}, policy.OtherDirective},
		{"CON-640 a modifierExtension", []string{active, privacyScope, sharingRefusedCategory, optOutRule, `"modifierExtension":[{"url":"u","valueString":"x"}]`}, policy.OtherDirective},
		{"implicit rules", []string{active, privacyScope, sharingRefusedCategory, optOutRule, `"implicitRules":"http://x"`}, policy.OtherDirective},
		{"said and taken back at once", []string{active, privacyScope, `"category":[{"coding":[{"code":"416409005"},{"code":"417528008"}]}]`, optOutRule}, policy.OtherDirective},
		{"both rules", []string{active, privacyScope, sharingRefusedCategory, `"policyRule":{"coding":[{"code":"OPTOUT"},{"code":"OPTIN"}]}`}, policy.OtherDirective},
		{"no policyRule", []string{active, privacyScope, sharingRefusedCategory}, policy.OtherDirective},
		{"another category", []string{active, privacyScope, otherCat, optOutRule}, policy.OtherDirective},
		{"CON-503 the code under another scope", []string{active, scoped(`{` + system + `,"code":"treatment"}`), sharingRefusedCategory, optOutRule}, policy.OtherDirective},
		{"the code in a proxy authority", []string{active, privacyScope, `"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"INFA"},{"code":"416409005"}]}]`, proxyRule}, policy.OtherDirective},
		{"CON-614 a permit closes", []string{active, privacyScope, otherCat, `"provision":{"type":"permit"}`}, policy.OtherDirective},
		{"CON-601 research", []string{active, scoped(`{` + system + `,"code":"research"}`), otherCat}, policy.OtherDirective},

		{"CON-641 no scope", []string{active, otherCat}, policy.OtherDirective},
		{"CON-641 scope as text only", []string{active, `"scope":{"text":"privacy"}`, otherCat}, policy.OtherDirective},
		{"CON-641 scope as text only, that says treatment", []string{active, `"scope":{"text":"treatment"}`, otherCat}, policy.OtherDirective},
		{"CON-641 scope absent with data-absent-reason", []string{active, absent, otherCat}, policy.OtherDirective},
		{"CON-641 a misspelt scope", []string{active, scoped(`{` + system + `,"code":"patient_privacy"}`), otherCat}, policy.OtherDirective},
		{"CON-641 a scope in another letter case", []string{active, scoped(`{` + system + `,"code":"Treatment"}`), otherCat}, policy.OtherDirective},
		{"CON-641 an unknown scope", []string{active, scoped(`{` + system + `,"code":"directed"}`), otherCat}, policy.OtherDirective},
		{"CON-641 treatment of another system", []string{active, scoped(`{"system":"http://local/scope","code":"treatment"}`), otherCat}, policy.OtherDirective},
		{"CON-641 treatment without a system", []string{active, scoped(`{"code":"treatment"}`), otherCat}, policy.OtherDirective},
		{"treatment and another code", []string{active, scoped(`{` + system + `,"code":"treatment"},{"system":"http://local","code":"privacy"}`), otherCat}, policy.OtherDirective},
		{"treatment and adr", []string{active, scoped(`{` + system + `,"code":"treatment"},{` + system + `,"code":"adr"}`), otherCat}, policy.OtherDirective},
		{"treatment whose text says something else", []string{active, `"scope":{"coding":[{` + system + `,"code":"treatment"}],"text":"no sharing"}`, otherCat}, policy.OtherDirective},
		{"treatment whose display says something else", []string{active, scoped(`{` + system + `,"code":"treatment","display":"Privacy Consent"}`), otherCat}, policy.OtherDirective},
		{"treatment with an extension", []string{active, `"scope":{"extension":[{"url":"u","valueString":"x"}],"coding":[{` + system + `,"code":"treatment"}]}`, otherCat}, policy.OtherDirective},
		{"CON-601 surely treatment", []string{active, scoped(`{` + system + `,"code":"treatment"}`), otherCat}, policy.NotADirective},
		{"CON-601 treatment with its display and text", []string{active, `"scope":{"coding":[{` + system + `,"version":"4.0.1","code":"treatment","display":"Treatment"}],"text":"treatment"}`, otherCat}, policy.NotADirective},
		{"CON-601 surely adr", []string{active, scoped(`{` + system + `,"code":"adr","display":"Advanced Care Directive"}`), otherCat}, policy.NotADirective},

		{"CON-603 draft", []string{`"status":"draft"`, privacyScope, sharingRefusedCategory, optOutRule}, policy.NotADirective},
		{"CON-603 proposed", []string{`"status":"proposed"`, privacyScope, sharingRefusedCategory, optOutRule}, policy.NotADirective},
		{"CON-603 rejected", []string{`"status":"rejected"`, privacyScope, sharingRefusedCategory, optOutRule}, policy.NotADirective},
		{"CON-603 inactive", []string{`"status":"inactive"`, privacyScope, sharingRefusedCategory, optOutRule}, policy.NotADirective},
		{"CON-603 entered-in-error", []string{`"status":"entered-in-error"`, privacyScope, sharingRefusedCategory, optOutRule}, policy.NotADirective},
		{"CON-641 status as extension only", []string{`"_status":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}`, privacyScope, sharingRefusedCategory, optOutRule}, policy.OptOut},
		{"CON-641 a misspelt status", []string{`"status":"actve"`, privacyScope, otherCat}, policy.OtherDirective},
		{"CON-641 no status", []string{privacyScope, otherCat}, policy.OtherDirective},
		{"CON-641 inactive in another letter case", []string{`"status":"Inactive"`, privacyScope, otherCat}, policy.OtherDirective},

		{"CON-601 a proxy authority", []string{active, privacyScope, proxyCat, proxyRule}, policy.NotADirective},
		{"CON-601 one that permits", []string{active, privacyScope, proxyCat, proxyRule, `"provision":{"type":"permit","provision":[{"type":"permit"}]}`}, policy.NotADirective},
		{"CON-641 one that denies", []string{active, privacyScope, proxyCat, proxyRule, `"provision":{"type":"deny"}`}, policy.OtherDirective},
		{"CON-641 one that denies within a permit", []string{active, privacyScope, proxyCat, proxyRule, `"provision":{"type":"permit","provision":[{"type":"deny"}]}`}, policy.OtherDirective},
		{"CON-641 another rule in addition to its basis", []string{active, privacyScope, proxyCat, `"policyRule":{"coding":[{"code":"best-interest"},{"code":"OPTOUT"}]}`}, policy.OtherDirective},
		{"CON-601 INFA of another system", []string{active, privacyScope, `"category":[{"coding":[{"code":"INFA"}]}]`, proxyRule}, policy.OtherDirective},
		{"CON-601 INFA without a basis", []string{active, privacyScope, proxyCat, optOutRule}, policy.OtherDirective},
	} {
		if got := policy.Read(consent(c.members...), true); got != c.want {
			t.Errorf("%s: got kind %d, want %d", c.name, got, c.want)
		}
		want := c.want
		if want == policy.NotADirective && policy.ProxyAuthority(consent(c.members...)) {
			want = policy.OtherDirective
		}
		if got := policy.Read(consent(c.members...), false); got != want {
			t.Errorf("CON-641: %s, from a source system: got kind %d, want %d", c.name, got, want)
		}
	}
}

// TestCheck: a person may write exactly the regional opt-out (CON-640).
func TestCheck(t *testing.T) {
	with := func(more ...string) []string {
		return append([]string{`"status":"active"`, privacyScope, sharingRefusedCategory, optOutRule}, more...)
	}
	for _, c := range []struct {
		name    string
		members []string
		place   string // of the fault; empty for none
	}{
		{"the opt-out", with(), ""},
		{"CON-641 with provision.type deny", with(`"provision":{"type":"deny"}`), ""},
		{"a period that has begun", with(`"provision":{"type":"deny","period":{"start":"2026-03-01T09:00:00Z"}}`), ""},
		{"an end", with(`"provision":{"type":"deny","period":{"start":"2026-03-01","end":"2027-03-01"}}`), "provision.period"},
		{"a start to come", with(`"provision":{"period":{"start":"2026-04-01"}}`), "provision.period"},
		{"a permit", with(`"provision":{"type":"permit"}`), "provision.type"},
		{"a type in another letter case", with(`"provision":{"type":"Deny"}`), "provision.type"},
		{"a condition", with(`"provision":{"type":"deny","purpose":[{"code":"TREAT"}]}`), "provision.purpose"},
		{"an exception", with(`"provision":{"type":"deny","provision":[{"type":"permit"}]}`), "provision.provision"},
		{"a modifierExtension", with(`"modifierExtension":[{"url":"u","valueString":"x"}]`), "modifierExtension"},
		{"implicit rules", with(`"implicitRules":"http://x"`), "implicitRules"},
		{"another scope", []string{`"status":"active"`, scoped(`{"code":"research"}`), sharingRefusedCategory, optOutRule}, "scope"},
		{"a scope in another letter case", []string{`"status":"active"`, scoped(`{"code":"Patient-Privacy"}`), sharingRefusedCategory, optOutRule}, "scope"},
		{"another category", []string{`"status":"active"`, privacyScope, otherCat, optOutRule}, "category"},
		{"another policyRule", []string{`"status":"active"`, privacyScope, sharingRefusedCategory, `"policyRule":{"coding":[{"code":"OPTIN"}]}`}, "policyRule"},
		{"a draft", []string{`"status":"draft"`, privacyScope, sharingRefusedCategory, optOutRule}, "status"},
		{"ended", []string{`"status":"inactive"`, privacyScope, sharingRefusedCategory, optOutRule}, ""},
	} {
		body, element := consent(c.members...), ""
		if err := policy.Check(body); err != nil {
			element = strings.TrimPrefix(err.Issues[0].Expression, "Consent.")
			if err.Status != 422 {
				t.Errorf("%s: got %d, want 422", c.name, err.Status)
			}
		} else if strings.Contains(string(body), `"active"`) && policy.Read(body, true) != policy.OptOut {
			t.Errorf("%s: a person may write it, and it is no opt-out", c.name)
		}
		if element != c.place {
			t.Errorf("%s: got a fault at %q, want %q", c.name, element, c.place)
		}
	}
}
