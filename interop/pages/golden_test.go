package pages_test

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carerecord/interop/pages"
)

// state is a page in one state, by the name of its golden file.
type state struct {
	name    string
	page    pages.Page
	options pages.Options
}

// states are the pages of the product in each of their states.
func states() []state {
	day := time.Date(2026, 11, 30, 9, 5, 0, 0, time.UTC)
	in := pages.Options{Binding: "binding", Transaction: "cr_tx_1"}
	signedIn := pages.Options{Binding: "binding", Account: "Ann Example", SignOut: "/sign-out"}
	kinds := []pages.SignInKind{{Value: "patient", Text: pages.PersonPatient}, {Value: "staff", Text: pages.PersonStaff}, {Value: "office", Text: pages.PersonOffice}}
	roles := []pages.Role{{Value: "r1", Name: "General medical practitioner", Organisation: "Practice"}, {Value: "r2", Name: "Consultant", Organisation: "Hospital"}}
	records := []pages.Record{{Value: "1", Name: "Ann Example", Self: true}, {Value: "2", Name: "Ben Example"}}
	found := []pages.Candidate{{Value: "1", Name: "Ann Example", BirthDate: "1980-03-31", NHSNumber: "999 000 1111"}, {Value: "2", Name: "An Example", BirthDate: "1980-03"}}
	consent := pages.Consent{
		Action: "/oauth/consent", App: "Diary", Publisher: "Diary Ltd", Person: "Ann Example", NHSNumber: "999 *** ****", Self: true, StopPath: "/apps",
		Groups: []pages.Group{{Type: "Patient"}, {Type: "Observation", Categories: []string{"laboratory", "vital-signs"}}, {Type: "*"}},
	}
	full := consent
	full.Self, full.Reviewed, full.Identity, full.Offline, full.Writes = false, true, true, day.AddDate(1, 0, 0), []string{"Observation", "*"}
	staff := full
	staff.Person, staff.NHSNumber, staff.Offline = "", "", time.Time{}
	staffOne := full
	staffOne.Staff = true
	everything := consent
	everything.Groups = []pages.Group{{Type: "*"}}
	refused := full
	refused.Chosen = &pages.Choice{Allow: true}
	kept := full
	kept.Chosen = &pages.Choice{Allow: true, Writes: []string{"Observation"}, Groups: []pages.Group{{Type: "Observation", Categories: []string{"laboratory"}, Narrow: true}}}
	list := []pages.App{
		{Value: "g1", Name: "Diary", Logo: "/pages/logos/1.png", Publisher: "Diary Ltd", Person: "Ann Example", Groups: []pages.Group{{Type: "Patient"}, {Type: "*"}}, Writes: []string{"Observation", "*"}, Since: day, LastUsed: day, Until: day.AddDate(1, 0, 0), Offline: true, Opens: true, Several: true},
		{Value: "g2", Name: "Steps", Publisher: "Steps Ltd", Person: "Ben Example", Groups: []pages.Group{{Type: "Observation", Categories: []string{"laboratory", "vital-signs"}, Narrow: true}, {Type: "Condition", Narrow: true}, {Type: "DocumentReference", Categories: []string{"clinical-note"}}}, Since: day},
		{Value: "g3", Name: "Diary", Groups: []pages.Group{{Type: "Patient"}}, Since: day.Add(time.Hour), Several: true},
	}
	out := []state{
		{"sign-in", pages.SignIn{Action: "/oauth/sign-in", App: "Diary", Kinds: kinds}, in},
		{"sign-in-unanswered", pages.SignIn{Action: "/oauth/sign-in", Kinds: kinds, Unanswered: true}, in},
		{"role-choice", pages.RoleChoice{Action: "/oauth/role", Person: "Ann Example", Roles: roles}, in},
		{"role-choice-unanswered", pages.RoleChoice{Action: "/oauth/role", Person: "Ann Example", Roles: roles, Unanswered: true}, in},
		{"record-choice", pages.RecordChoice{Action: "/oauth/record", App: "Diary", People: records}, in},
		{"record-choice-unanswered", pages.RecordChoice{Action: "/oauth/record", App: "Diary", People: records, Unanswered: true}, in},
		{"patient-search", pages.PatientSearch{Action: "/oauth/patient", App: "Diary"}, in},
		{"patient-choice", pages.PatientChoice{Action: "/oauth/patient", SearchAgain: "/oauth/search", People: found}, in},
		{"patient-choice-unanswered", pages.PatientChoice{Action: "/oauth/patient", SearchAgain: "/oauth/search", People: found, Unanswered: true}, in},
		{"encounter-choice", pages.EncounterChoice{Action: "/oauth/encounter", App: "Diary", List: []pages.Encounter{{Value: "1", Start: "2026-03-31", Name: "Check-up", State: "finished"}, {Value: "2", Name: "AMB", State: "planned"}}}, in},
		{"encounter-choice-unanswered", pages.EncounterChoice{Action: "/oauth/encounter", App: "Diary", List: []pages.Encounter{{Value: "1", Start: "2026-03", Name: "Check-up", State: "finished"}}, Unanswered: true}, in},
		{"refusal-no-record", pages.Refusal{Action: "/oauth/leave", App: "Diary", Reason: pages.NoRecord}, in},
		{"refusal-no-role", pages.Refusal{Action: "/oauth/leave", App: "Diary", Reason: pages.NoRole}, in},
		{"refusal-no-authority", pages.Refusal{Action: "/oauth/leave", App: "Diary", Reason: pages.NoAuthority}, in},
		{"refusal-without-app", pages.Refusal{Reason: pages.NoAuthority}, signedIn},
		{"other-person-launch", pages.OtherPerson{Action: "/oauth/another", Leave: "/oauth/leave", App: "Diary", Person: "Ann Example", Launch: true}, in},
		{"other-person-app", pages.OtherPerson{Action: "/oauth/another", Leave: "/oauth/leave", App: "Diary", Person: "Ann Example"}, in},
		{"consent", consent, in},
		{"consent-logo", consent, pages.Options{Binding: "binding", Transaction: "cr_tx_1", Logo: "/pages/logos/1.png", App: "Diary"}},
		{"consent-full", full, in},
		{"consent-staff", staff, in},
		{"consent-staff-patient", staffOne, in},
		{"consent-everything", everything, in},
		{"consent-nothing", refused, in},
		{"consent-kept", kept, in},
		{"apps", pages.Apps{Action: "/apps", Open: "/apps/open", List: list, Sessions: "/sessions"}, signedIn},
		{"apps-stopped", pages.Apps{Action: "/apps", Stopped: "Steps"}, signedIn},
		{"reminder", pages.Reminder{Action: "/oauth/reminder", List: list[:1]}, in},
		{"reminder-staff", pages.Reminder{Action: "/my/sessions/reminder", Staff: true, List: list}, signedIn},
		{"sessions", pages.SessionList{Action: "/sessions", Apps: "/apps", List: []pages.BrowserSession{{Value: "s1", Started: day, LastUsed: day, Current: true}, {Value: "s2", Started: day, LastUsed: day}}}, signedIn},
		{"choices", pages.Choices{Action: "/my/choices", Apps: "/my/apps"}, signedIn},
		{"choices-refused", pages.Choices{Action: "/my/choices", Apps: "/my/apps", Refused: true, Saved: pages.Refuse, At: day, Held: []string{"Hollybank Surgery"}, Statements: []pages.Statement{{Since: day}, {Organisation: "Hollybank Surgery", Since: day}, {Since: day, Ended: day.Add(time.Hour)}}}, signedIn},
		{"choices-allowed", pages.Choices{Action: "/my/choices", Saved: pages.Allow, At: day, Statements: []pages.Statement{{Since: day, Ended: day.Add(time.Hour)}}}, signedIn},
		{"choices-ask-refuse", pages.Choices{Action: "/my/choices", Asks: pages.Refuse}, signedIn},
		{"choices-ask-allow", pages.Choices{Action: "/my/choices", Refused: true, Asks: pages.Allow}, signedIn},
		{"back", pages.Back{App: "Steps", Path: "/oauth/transaction/1/app"}, pages.Options{}},
		{"back-opens", pages.Back{App: "Steps", Path: "/my/apps/open/1/app", Opens: true}, pages.Options{}},
		{"signed-out", pages.SignedOut{}, pages.Options{}},
		{"home", pages.Home{Developers: "/developers", EHR: "http://localhost:8080/ehr/", App: "http://localhost:8080/app/start.html", People: []pages.HomePerson{{Name: "Dr Ann", Role: "Consultant", Organisation: "Hospital"}, {Name: "Ben"}},
			Clients: []pages.HomeClient{{ID: "demo", Name: "Sample app", Kind: "public", Scopes: "patient/*.rs", Rights: "__launch"}}, Tokens: []pages.HomePerson{{Name: "Cleo", Role: "Clerk"}}, Requests: []pages.HomeRequest{{Text: "GET /fhir/metadata", Path: "/fhir/metadata"}, {Text: "GET /fhir/Patient"}}}, pages.Options{}},
		{"developers", pages.Developers{Configuration: "/fhir/.well-known/smart-configuration", Capabilities: []string{"launch-ehr"}, Scopes: []string{"patient/*.rs"},
			Parameters: []pages.TypeParameters{{Type: "Condition", Names: []string{"category", "code"}}}, Lives: []pages.DeveloperValue{{Name: "access", Value: "15 min"}},
			Limits: []pages.DeveloperValue{{Name: "body", Value: "65536"}}, Errors: []string{"invalid_request"}, Outcomes: []string{"NOT_STORED"},
			Base: "https://record.example/fhir", Launch: "https://record.example/oauth/launch", Addresses: []pages.DeveloperValue{{Name: "token_endpoint", Value: "https://record.example/oauth/token"}}, Texts: "/developers/texts"}, pages.Options{}},
		{"texts", pages.Texts{Version: "1", Parts: []pages.TextPart{{Name: "apps", Texts: []pages.Text{{Key: "apps.stop", In: []pages.Translation{{Language: "en", Text: "Stop {app:text}", Reviewed: true}, {Language: "cy", Text: "Atal {app:text}"}}}}}}}, pages.Options{}},
		{"browse", pages.Browse{Starts: []pages.BrowseStart{{Person: "Ben", Links: []pages.BrowseLink{{Text: "Patient", Path: "/browse/patient/Patient"}}}, {Person: "Ann", Role: "Consultant", Organisation: "Hospital", Links: []pages.BrowseLink{{Text: "Patient", Path: "/browse/R1.A/Patient"}}}}}, signedIn},
		{"browse-answer", pages.Browse{Path: "/Patient/1", Status: 200, Tree: []pages.BrowseNode{{Name: "resourceType", Text: "Patient"}, {Name: "name", Folds: true, Open: true,
			Children: []pages.BrowseNode{{Name: "0", Folds: true, Children: []pages.BrowseNode{{Name: "family", Text: "Example"}}}}}, {Name: "reference", Text: "Organization/1", Link: "/browse/patient/Organization/1"}}}, signedIn},
		{"browse-text", pages.Browse{Path: "/Patient/1", Status: 404, Text: "not JSON"}, signedIn},
		{"sample-people", pages.SamplePeople{Action: "/sample/authorize", Kind: pages.PersonStaff, People: []pages.SamplePerson{{Value: "gp", Name: "gp", Detail: "R0260"}}}, in},
		{"sample-people-unanswered", pages.SamplePeople{Action: "/sample/authorize", Kind: pages.PersonPatient, People: []pages.SamplePerson{{Value: "p", Name: "p", Detail: "Patient"}}, Unanswered: true}, in},
	}
	for _, problem := range []pages.SearchProblem{pages.SearchEmpty, pages.SearchNumber, pages.SearchCheckDigit, pages.SearchFamily, pages.SearchBirthDate, pages.SearchNone, pages.SearchMany} {
		out = append(out, state{"patient-search-" + string(problem), pages.PatientSearch{Action: "/oauth/patient", Number: "999", Family: "Exam", Day: "3", Month: "4", Year: "1980", Problem: problem}, in})
	}
	for _, kind := range errorKinds() {
		out = append(out, state{"error-" + string(kind), pages.Error{Kind: kind, Reference: "REF-1", Retry: "/oauth/again", Apps: "/my/apps"}, pages.Options{}})
	}
	return out
}

func errorKinds() []pages.ErrorKind {
	return []pages.ErrorKind{pages.BadRequest, pages.Forbidden, pages.NotFound, pages.Ended, pages.OtherBrowser, pages.SignInRefused,
		pages.TooMany, pages.ProviderDown, pages.Unavailable, pages.MethodRefused, pages.InternalFailed}
}

// digest matches the name of the style sheet, which changes with its content.
var digest = regexp.MustCompile(`/pages\.[0-9a-f]{16}\.css`)

// TestGolden compares each page in each state, in both languages, with testdata. UPDATE=1 writes the files.
func TestGolden(t *testing.T) {
	p, _ := renderer(t, true)
	for _, s := range states() {
		for _, language := range []string{"en", "cy"} {
			t.Run(s.name+"/"+language, func(t *testing.T) {
				got := digest.ReplaceAllString(render(t, p, language, s.page, s.options).Body.String(), "/pages.DIGEST.css")
				file := "testdata/" + s.name + "." + language + ".html"
				if os.Getenv("UPDATE") != "" {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(got, string(want)); diff != "" {
					t.Errorf("got (-) is not the golden page (+), UPDATE=1 writes it:\n%s", diff)
				}
			})
		}
	}
}
