package browser

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"carerecord/docs/examples"
)

// signIn picks a sample person.
func (b *tab) signIn(subject string) {
	b.Helper()
	b.sees("sign-in", "input[name=person]")
	b.click(chromedp.CSS("input[name=person][value='" + subject + "'] + label"))
	b.click("main button[type=submit]")
}

// allow sends the consent page as it is.
func (b *tab) allow() {
	b.Helper()
	b.sees("consent", "button[value=allow]")
	b.click("button[value=allow]")
}

// arrives waits until the app has read the record.
func (b *tab) arrives() {
	b.Helper()
	b.reads("#status", "This is what you allowed")
	b.check("app")
}

const doctor, ann = "900000000102", "nhs-login-1"

// TestEHRLaunch: the example EHR announces a launch, the app written with npm fhirclient gets the context and reads, renews its token
// after the first has ended, and ends its access (SMART-120, 122, 341, 345, 371, 401).
func TestEHRLaunch(t *testing.T) {
	w := newWorld(t)
	b := newTab(t, w)
	b.open(w.site + "/")
	ehr := chromedp.CSS("main a[href='" + w.examples + examples.EHRPath + "']")
	b.sees("home", ehr)
	b.click(ehr)
	b.sees("patients", "main li a")
	b.click("main li a")
	b.sees("launch", "#encounter")
	b.set("#encounter", "t1.visit")
	b.click("main button")
	b.sees("sent", "#open")
	if sent := b.text("main"); !strings.Contains(sent, `"encounter": "t1.visit"`) || !strings.Contains(sent, "cr_lh_") || strings.Contains(sent, "cr_at_") || strings.Contains(sent, "eyJ") {
		t.Errorf("the EHR shows %s, want the launch without tokens", sent)
	}
	b.click("#open")
	b.signIn(doctor)
	b.allow()
	b.arrives()
	if got := b.text("main"); !strings.Contains(got, "Ann Other") || !strings.Contains(got, "t1.visit") || !strings.Contains(got, "Amlodipine 5mg tablets, One tablet daily") || !strings.Contains(got, "Allergy to penicillin") ||
		!strings.Contains(got, "Hypertensive disorder, since 2020-02-03") || !strings.Contains(got, "Body weight over time") {
		t.Errorf("SMART-371: the app shows %s", got)
	}
	if n := b.count("#chart circle"); n != 3 {
		t.Errorf("the chart has %d points, want 3", n)
	}

	w.move(16 * time.Minute)
	b.click("#refresh")
	b.reads("#status", "The app has a new token.")
	b.click("#again")
	b.arrives()
	if got := b.text("#access"); !strings.Contains(strings.Join(strings.Fields(got), " "), "New tokens so far 1") {
		t.Errorf("SMART-341: the app has %s", got)
	}

	b.click("#leave")
	b.reads("#status", "its access has ended")
	b.check("left")
	b.open(w.site + "/my/apps")
	b.sees("no apps", "h1")
	if got := b.text("main"); strings.Contains(got, "Example app") {
		t.Errorf("SMART-401: after the revocation the page has %s", got)
	}
}

// TestPartialGrant: a patient who starts the app allows a part of what it asks for, in Welsh, and stops it later: its next request is
// refused (SMART-212, 214, 216, 223, 405).
func TestPartialGrant(t *testing.T) {
	w := newWorld(t)
	b := newTab(t, w)
	b.open(w.examples + examples.StartPath)
	b.sees("start", "#patient")
	b.click("#patient")
	b.signIn(ann)
	b.sees("consent", "button[value=allow]")
	english := b.text("h1")
	b.click("button[name=language][value=cy]")
	b.sees("consent-welsh", "html[lang=cy] button[value=allow]")
	if welsh := b.text("h1"); welsh == english || !strings.Contains(welsh, "Example app") {
		t.Errorf("SMART-223: the heading is %q, and %q in Welsh", english, welsh)
	}
	b.click("input[name=group][value=AllergyIntolerance] + label")
	b.click("button[value=allow]")
	b.arrives()
	if got := b.text("#allergies"); !strings.Contains(got, "did not allow") {
		t.Errorf("SMART-214: the app shows the allergies %q", got)
	}
	if got := b.text("main"); strings.Contains(got, "AllergyIntolerance") || !strings.Contains(got, "offline_access") || !strings.Contains(got, "Hypertensive") {
		t.Errorf("SMART-214: the app shows %s", got)
	}

	at := b.address()
	b.open(w.site + "/my/apps")
	b.sees("apps-welsh", "html[lang=cy] main form button")
	if got := b.text("main"); !strings.Contains(got, "Example app") {
		t.Errorf("SMART-405: the page has %s", got)
	}
	b.click("main form button")
	within(b, "wait for the end of the access", chromedp.WaitNotPresent(chromedp.CSS("main form button")))
	b.check("stopped")
	b.open(at)
	b.reads("#status", "(401)")
	b.check("refused")
}

// TestDenial: who refuses returns to the app, which learns access_denied (SMART-089, 216).
func TestDenial(t *testing.T) {
	w := newWorld(t)
	b := newTab(t, w)
	b.open(w.examples + examples.StartPath)
	b.click("#patient")
	b.signIn(ann)
	b.sees("consent", "button[value=refuse]")
	b.click("button[value=refuse]")
	b.reads("#status", "The record was not opened")
	b.check("denied")
	if got := b.address(); !strings.Contains(got, "error=access_denied") || strings.Contains(got, "code=") {
		t.Errorf("SMART-089: the browser is at %s", got)
	}
}

// TestChooser: staff who start the app find a patient; a search that finds nobody and a form without an answer say so (SMART-144).
func TestChooser(t *testing.T) {
	w := newWorld(t)
	b := newTab(t, w)
	b.open(w.examples + examples.StartPath)
	b.click("#staff")
	b.sees("sign-in", "input[name=person]")
	b.click("main button[type=submit]")
	b.sees("sign-in-unanswered", ".nhsuk-error-summary")
	b.signIn(doctor)
	b.sees("search", "input[name=number]")
	b.set("input[name=number]", "9990000042")
	b.click("main button[type=submit]")
	b.sees("search-none", ".nhsuk-error-summary")
	b.set("input[name=number]", annsNumber)
	b.click("main button[type=submit]")
	b.sees("choice", "input[name=patient]")
	b.click("input[name=patient] + label")
	b.click("main button[type=submit]")
	b.sees("consent", "button[value=allow]")
	evaluate[chromedp.Void](b, "for (const box of document.querySelectorAll('main input:checked')) box.checked = false")
	b.click("button[value=allow]")
	b.sees("consent-nothing", ".nhsuk-error-summary")
	b.click("input[name=group][value=Patient] + label")
	b.click("button[value=allow]")
	b.arrives()
	if got := b.text("main"); !strings.Contains(got, "Ann Other") || strings.Contains(got, "Amlodipine") || strings.Contains(got, "Body weight") {
		t.Errorf("SMART-144, 214: the app shows %s", got)
	}
}
