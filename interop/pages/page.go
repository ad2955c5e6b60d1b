package pages

import "time"

// Page is the content of a page: one of the types of this package.
//
//sumtype:decl
type Page interface {
	name() string        // of its template
	problems() []problem // what the reader must correct, with keys of the catalogue as texts
}

// pageNames are the templates of all pages.
var pageNames = []string{"error", "sign-in", "role-choice", "record-choice", "patient-search", "patient-choice", "encounter-choice", "refusal", "other-person", "consent", "apps", "reminder", "sessions", "choices", "back", "signed-out", "home", "developers", "texts", "sample-people", "browse"}

// Error explains why something did not work.
type Error struct {
	Kind      ErrorKind
	Reference string // number by which operators find the request
	Retry     string // path of a link, or empty
	Apps      string // path of the page of apps with access, for a link; empty: none
}

// SignIn asks which kind of person signs in, if an app serves several (SMART-189). The form posts the field "kind".
type SignIn struct {
	Action     string
	App        string // name of the app that asks, or empty
	Kinds      []SignInKind
	Unanswered bool // the form was sent without a choice
}

// SignInKind is a choice of SignIn.
type SignInKind struct {
	Value string // what the form posts
	Text  PersonKind
}

// PersonKind selects the text of a kind of people.
type PersonKind string

// The kinds of people that a page names.
const (
	PersonPatient PersonKind = "patient"
	PersonStaff   PersonKind = "staff"
	PersonOffice  PersonKind = "office" // administrators, officers and operators (SMART-209)
)

// RoleChoice asks in which role a person works now (SMART-203). The form posts the field "role".
type RoleChoice struct {
	Action     string
	Person     string
	Roles      []Role
	Unanswered bool // the form was sent without a choice
}

// Role is a choice of RoleChoice.
type Role struct{ Value, Name, Organisation string }

// RecordChoice asks a proxy whose record an app gets (SMART-143). The form posts the field "record".
type RecordChoice struct {
	Action     string
	App        string
	People     []Record
	Unanswered bool // the form was sent without a choice
}

// Record is a choice of RecordChoice.
type Record struct {
	Value, Name string
	Self        bool // the own record of the reader
}

// EncounterChoice asks which visit of the patient an app gets (SMART-149). The form posts the field "encounter", which is the id of
// one of them, or none.
type EncounterChoice struct {
	Action     string
	App        string
	List       []Encounter
	Unanswered bool // the form was sent without a choice
}

// Encounter is a choice of EncounterChoice.
type Encounter struct {
	Value string
	Start string // a FHIR date or instant, or empty
	Name  string // of its type or class
	State string // its status
}

// Refusal says why a person cannot use an app, and what to do next. Its form takes the person back to the app (SMART-147).
type Refusal struct {
	Action string // empty where no app is used: there is no form then
	App    string
	Reason RefusalReason
}

// OtherPerson says that an app or a launch is not for the person who is signed in. One form leads to a sign-in as somebody else, and one
// back to the app. It does not say for whom a launch is (SMART-125).
type OtherPerson struct {
	Action string // of the sign-in
	Leave  string // of the way back to the app
	App    string
	Person string // who is signed in
	Launch bool   // an EHR launched the app for another person
}

// RefusalReason selects the text of a Refusal.
type RefusalReason string

// The reasons of a Refusal.
const (
	NoRecord    RefusalReason = "no-record"    // no usable patient, whether there is no record or it is withheld (SMART-147)
	NoRole      RefusalReason = "no-role"      // a member of staff without any role (SMART-203)
	NoAuthority RefusalReason = "no-authority" // a proxy without an authority that is valid now (SMART-143)
)

// Back says that the browser goes back to an app. It goes by itself, to the path, if the answer has the header Refresh.
type Back struct {
	App   string
	Path  string
	Opens bool // the app is opened from our pages
}

// SignedOut says that a session has ended.
type SignedOut struct{}

// App is an app with access.
type App struct {
	Value     string // what the button posts in the field "grant"
	Name      string
	Logo      string // path of its image; empty for none
	Publisher string
	Person    string   // whose record
	Groups    []Group  // what it may read. A group with Narrow is its categories alone, or a part that has no name.
	Writes    []string // types that the app may write
	Since     time.Time
	LastUsed  time.Time // zero: never
	Until     time.Time // zero: until the sign-out
	Offline   bool      // access without the person
	Opens     bool      // the reader can open the app from the page
	Several   bool      // the list has other entries of the app, so the button says when it was allowed
}

// Apps lists the apps with access and stops each of them in one step (SMART-405). Each app has a form that posts the
// field "grant".
type Apps struct {
	Action  string
	Staff   bool   // of a member of staff, whose organisation may have approved an app (SMART-220)
	Open    string // path of the forms that open an app, which post the field "grant"
	List    []App
	Stopped string // name of the app that was just stopped, or empty
	// Sessions is the path of the page SessionList, for a link; empty: none.
	Sessions string
}

// Reminder lists the apps that can use a record while the reader is away, once a year, before the reader goes on (SMART-224). Its form posts the field
// "grant" to stop one of them, or nothing to go on.
type Reminder struct {
	Action string
	Staff  bool // the reader is staff, and the record is not the reader's own
	List   []App
}

// BrowserSession is a session in a list.
type BrowserSession struct {
	Value             string // what the button posts in the field "session"
	Started, LastUsed time.Time
	Current           bool // the session of the reader's browser
}

// SessionList lists the sessions of a user, and ends one or all of them (SMART-170). The forms post the field "session",
// which is "all" for all of them.
type SessionList struct {
	Action string
	List   []BrowserSession
	Apps   string // path of the page Apps, for a link; empty: none
}

// Choices shows whether the reader's record is shared for care, and changes it (CON-1805). Its form posts the field "sharing", which is
// "refuse" or "allow", and then, on the page that asks whether it is meant, the field "confirm" too.
type Choices struct {
	Action     string
	Refused    bool        // the record is not shared
	Asks       Sharing     // the page asks whether this is meant; empty: it shows the choice
	Saved      Sharing     // what was just recorded; empty for nothing
	At         time.Time   // when that was
	Held       []string    // organisations whose refusals the reader cannot end
	Statements []Statement // newest first
	Apps       string      // path of the page Apps, for a link
}

// Sharing is a choice about sharing.
type Sharing string

// The choices about sharing.
const (
	Refuse Sharing = "refuse"
	Allow  Sharing = "allow"
)

// Statement is a refusal that was recorded.
type Statement struct {
	Organisation string    // that recorded it; empty: the reader
	Since        time.Time // when it was recorded
	Ended        time.Time // zero: it holds
}

// Home is the page at / of a demonstration.
type Home struct {
	EHR, App string       // addresses of the example EHR and the example app; empty for none
	People   []HomePerson // who sign in on the pages
	Tokens   []HomePerson // who have tokens from the command line alone
	Clients  []HomeClient
	Requests []HomeRequest
	// Developers is the path of the page for developers.
	Developers string
}

// HomePerson is a sample person.
type HomePerson struct{ Name, Role, Organisation string }

// HomeClient is a sample client.
type HomeClient struct{ ID, Name, Kind, Scopes, Rights string }

// HomeRequest is a ready-made request. A request with a path is a link.
type HomeRequest struct{ Text, Path string }

// Browse shows an answer of the FHIR API of a demonstration, or where to begin if it has no status.
type Browse struct {
	Path   string // of the request
	Status int    // of the answer
	Starts []BrowseStart
	Tree   []BrowseNode
	Text   string // of an answer that is no JSON
}

// BrowseStart is where a person begins in one role.
type BrowseStart struct {
	Person             string
	Role, Organisation string // names; empty for a patient
	Links              []BrowseLink
}

// BrowseLink is a link to a request.
type BrowseLink struct{ Text, Path string }

// BrowseNode is a member of a JSON object or array. One that folds has children and no value.
type BrowseNode struct {
	Name, Text string
	Link       string // path of a link; empty for none
	Folds      bool
	Open       bool
	Children   []BrowseNode
}

// SamplePeople is the page of the identity provider with sample people: the reader picks who signs in. The form posts the
// field "person".
type SamplePeople struct {
	Action     string
	Kind       PersonKind
	People     []SamplePerson
	Unanswered bool // the form was sent without a choice
}

// SamplePerson is a choice of SamplePeople.
type SamplePerson struct{ Value, Name, Detail string }

func (Error) name() string           { return "error" }
func (SignIn) name() string          { return "sign-in" }
func (RoleChoice) name() string      { return "role-choice" }
func (RecordChoice) name() string    { return "record-choice" }
func (EncounterChoice) name() string { return "encounter-choice" }
func (Refusal) name() string         { return "refusal" }
func (OtherPerson) name() string     { return "other-person" }
func (Back) name() string            { return "back" }
func (SignedOut) name() string       { return "signed-out" }
func (Apps) name() string            { return "apps" }
func (Reminder) name() string        { return "reminder" }
func (SessionList) name() string     { return "sessions" }
func (Choices) name() string         { return "choices" }
func (Home) name() string            { return "home" }
func (Browse) name() string          { return "browse" }
func (SamplePeople) name() string    { return "sample-people" }

func (Error) problems() []problem          { return nil }
func (Refusal) problems() []problem        { return nil }
func (OtherPerson) problems() []problem    { return nil }
func (Back) problems() []problem           { return nil }
func (SignedOut) problems() []problem      { return nil }
func (Apps) problems() []problem           { return nil }
func (Reminder) problems() []problem       { return nil }
func (SessionList) problems() []problem    { return nil }
func (Browse) problems() []problem         { return nil }
func (Choices) problems() []problem        { return nil }
func (Home) problems() []problem           { return nil }
func (p SignIn) problems() []problem       { return choose(p.Unanswered, "sign-in.problem", "kind-0") }
func (p RoleChoice) problems() []problem   { return choose(p.Unanswered, "role.problem", "role-0") }
func (p RecordChoice) problems() []problem { return choose(p.Unanswered, "record.problem", "record-0") }
func (p EncounterChoice) problems() []problem {
	return choose(p.Unanswered, "encounter.problem", "encounter-0")
}
func (p SamplePeople) problems() []problem { return choose(p.Unanswered, "sample.problem", "person-0") }

func choose(unanswered bool, text, field string) []problem {
	if !unanswered {
		return nil
	}
	return []problem{{Text: text, Field: field}}
}
