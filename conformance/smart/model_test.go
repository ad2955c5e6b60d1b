package smart

import (
	"slices"
	"strings"
	"time"

	"carerecord/consent/policy"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/session"
)

// model is what a walk knows: what each browser has begun, what people have granted, and which tokens came of it.
type model struct {
	// safe is set where another walk changes clients, users and sessions at the same time. Then the model knows only what must
	// not happen.
	safe         bool
	transactions []*modelTransaction
	grants       []*modelGrant
	codes        []*modelCode
	access       []*modelAccess
	refresh      []*modelRefresh
	launches     []*modelLaunch
	suspended    map[string]bool
	notBefore    map[string]time.Time // of clients
	cutoffs      map[string]time.Time // of users; "" is everybody
	approvals    map[string]time.Time // ends of those of organisations for the client signer
}

func newModel(safe bool) *model {
	return &model{safe: safe, suspended: map[string]bool{}, notBefore: map[string]time.Time{}, cutoffs: map[string]time.Time{}, approvals: map[string]time.Time{}}
}

// modelTransaction is an authorization request that the server took.
type modelTransaction struct {
	id, state, client, scope string
	browser                  *seat
	visit                    int // of the browser: a sign-out begins another
	launch                   *modelLaunch
	login                    bool // prompt=login
	consent                  bool // prompt=consent
	doubt                    bool // whether it has ended is unknown
	kind                     string
	offered                  []string // Patients that a search has found, and to whom
	offeredTo                string
	patient, chooser         string
	role, roleOf             string // that was chosen, and by whom
	encounter, encounterOf   string // that was chosen, and of which Patient
	made                     time.Time
	done                     bool
}

// open reports whether the transaction may still go on in a browser.
func (tx *modelTransaction) open(b *seat, now time.Time) bool {
	return !tx.done && tx.browser == b && tx.visit == b.visit && now.Before(tx.made.Add(10*time.Minute))
}

func (tx *modelTransaction) verifier() string { return verifier + tx.state }

// modelSession is a session of a browser. Whether a session that was idle has ended is unknown between touched, the last
// request that certainly used it, and last, the last that may have done so.
type modelSession struct {
	user                   string
	binding                int // of its forms: another after each choice of a role
	started, touched, last time.Time
	ended                  bool
}

// alive reports whether a session is in force, and whether that is certain.
func (s *modelSession) alive(now time.Time) (alive, known bool) {
	if s == nil || s.ended || !now.Before(s.started.Add(session.MaxTotal)) || !now.Before(s.last.Add(session.MaxIdle)) {
		return false, true
	}
	return true, now.Before(s.touched.Add(session.MaxIdle))
}

// modelLaunch is a launch that the EHR has announced.
type modelLaunch struct {
	handle, client, user, patient string
	ends                          time.Time
	used                          bool
}

// modelGrant is what one act of a person, or the credentials of a backend client, has granted.
type modelGrant struct {
	client, user, patient string
	role, encounter       string
	requested             string
	scope                 string // that the server has stored; empty for unknown
	repeated              bool   // made without a page, by an earlier decision
	id, decision          string // as the server has stored them; decision for a repeat alone
	ticks                 *ticks // nil where no page asked: by an approval of an organisation, and a backend client
	approvedBy            string // the organisation that approved it (SMART-220); empty for none
	launched              bool
	offline, online       bool
	session               *modelSession
	made, ends            time.Time
	ended                 bool
	doubt                 bool // whether it has ended is unknown
	taken                 bool // a token was taken of it
}

// listed reports whether the list of the user has a grant that is in force: without a token it is there as long as its code.
func (g *modelGrant) listed(now time.Time) bool {
	return g.taken || now.Before(g.made.Add(grants.DefaultLives().Code))
}

type modelCode struct {
	value, client string
	tx            *modelTransaction
	grant         *modelGrant
	ends          time.Time
	used          bool
}

type modelAccess struct {
	value, scope string
	grant        *modelGrant
	ends         time.Time
	revoked      bool
}

type modelRefresh struct {
	value string
	grant *modelGrant
	ends  time.Time
	used  bool
}

// live reports whether a grant is in force.
func (m *model) live(g *modelGrant, now time.Time) bool {
	if g.ended || !now.Before(g.ends) || m.suspended[g.client] && !m.safe {
		return false
	}
	for _, at := range []time.Time{m.notBefore[g.client], m.cutoffs[g.user], m.cutoffs[""]} {
		if !at.IsZero() && !g.made.After(at) {
			return false
		}
	}
	return true
}

// active reports whether an access token must be taken, if its grant is not in doubt.
func (m *model) active(a *modelAccess, now time.Time) bool {
	return !a.revoked && now.Before(a.ends) && m.live(a.grant, now)
}

// sessionEnded ends what depends on a session.
func (m *model) sessionEnded(s *modelSession, now time.Time) {
	alive, known := s.alive(now)
	if !alive {
		return
	}
	s.ended = true
	for _, g := range m.grants {
		if g.online && g.session == s {
			g.ended, g.doubt = known, g.doubt || !known
		}
	}
}

// mayGrant returns why a code must not arrive now in a browser for a transaction; "" if it may. act is the form that led to it.
func (m *model) mayGrant(b *seat, tx *modelTransaction, act *ticks, now time.Time) string {
	s := b.sessions[tx.kind]
	alive, _ := s.alive(now)
	switch {
	case !tx.open(b, now):
		return "the transaction has ended or is another browser's"
	case m.suspended[tx.client] && !m.safe:
		return "the client is suspended"
	case !alive:
		return "nobody has signed in"
	case tx.login && s.started.Before(tx.made):
		return "the app wants a new sign-in"
	}
	person, _ := b.w.policy.Person(s.user)
	if problem := mayUse(tx, person); problem != "" {
		return problem
	}
	if choosesRole(person, tx) && tx.roleOf != s.user {
		return "the user has chosen no role"
	}
	if choosesEncounter(tx) && tx.encounterOf != tx.patientOf(person) {
		return "the user has chosen no encounter"
	}
	if act == nil && tx.consent {
		return "the app wants a person to agree again"
	}
	if act == nil && !now.Before(m.approvals[approver(tx.client, tx.roleIn(person), person)]) && !m.safe && len(m.earlier(tx.client, s.user, tx.patientOf(person), tx.roleIn(person), now)) == 0 {
		return "nobody has agreed"
	}
	if act != nil && (act.tx != tx || !act.honest || !act.allow) {
		return "the form was refused, of another transaction, or old"
	}
	if person.Kind == "clinician" && needsPatient(tx.scope) && tx.launch == nil && (tx.patient == "" || tx.chooser != s.user) {
		return "the user has chosen no patient"
	}
	return ""
}

// approver returns the organisation whose approval counts for a client and a person, in a role that was chosen; empty for none.
func approver(client, role string, p policy.Person) string {
	if client != "signer" {
		return ""
	}
	if organisation, _, chosen := strings.Cut(role, " "); chosen {
		return organisation
	}
	return p.Organisation
}

// withdrawn ends the approval of an organisation, and what was granted by it.
func (m *model) withdrawn(organisation string) {
	delete(m.approvals, organisation)
	for _, g := range m.grants {
		g.ended = g.ended || g.approvedBy == organisation
	}
}

// earlier returns the grants whose decision may be repeated without a page: of the same client, user, role and patient (SMART-222).
func (m *model) earlier(client, user, patient, role string, now time.Time) (list []*modelGrant) {
	for _, g := range m.grants {
		if g.client == client && g.user == user && g.role == role && g.ticks != nil && !g.repeated && (g.patient == patient || g.scope != "" && !needsPatient(g.scope)) && (g.doubt || m.live(g, now)) {
			list = append(list, g)
		}
	}
	return list
}

// choosesRole reports whether a person has several roles for a transaction (SMART-203). The launches of the walks are for T1.
func choosesRole(p policy.Person, tx *modelTransaction) bool {
	return p.User == "locum" && tx.launch == nil
}

// choosesEncounter reports whether somebody chooses an encounter for a transaction (SMART-149). Each patient has one.
func choosesEncounter(tx *modelTransaction) bool {
	return tx.launch == nil && strings.Contains(tx.scope, "launch/encounter")
}

// roleIn returns the role that was chosen for a transaction; empty where there is one alone.
func (tx *modelTransaction) roleIn(p policy.Person) string {
	if choosesRole(p, tx) {
		return tx.role
	}
	return ""
}

// patientOf returns the patient in context of a grant of the transaction; empty for none.
func (tx *modelTransaction) patientOf(person policy.Person) string {
	switch {
	case person.Kind == "patient":
		return "t1." + person.User
	case tx.launch != nil:
		return tx.launch.patient
	case needsPatient(tx.scope):
		return tx.patient
	}
	return ""
}

// sessionReplaced ends what a user has begun in a browser in which somebody else signs in for another transaction (SMART-160).
func (m *model) sessionReplaced(b *seat, kind, user string, by *modelTransaction, hadCookie bool, now time.Time) {
	old := b.sessions[kind]
	alive, known := old.alive(now)
	if !hadCookie || alive && known && old.user == user {
		return
	}
	for _, tx := range m.transactions {
		if tx != by && tx.kind == kind && tx.open(b, now) {
			if alive && !known && old.user == user {
				tx.doubt = true
			} else {
				tx.done = true
			}
		}
	}
	if !alive || old.user == user {
		return
	}
	for _, g := range m.grants {
		if g.session == old && !slices.ContainsFunc(m.access, func(a *modelAccess) bool { return a.grant == g }) {
			g.ended, g.doubt = known, g.doubt || !known
		}
	}
}

// mayUse returns why a person must not use the client of a transaction; "" if they may.
func mayUse(tx *modelTransaction, person policy.Person) string {
	audience := map[string][]string{"app": {"patient"}, "secret": {"patient"}, "clinical": {"clinician"}, "signer": {"clinician"}, "both": {"patient", "clinician"}, "limited": {"patient", "clinician"}}
	switch {
	case !slices.Contains(audience[tx.client], person.Kind):
		return "the client is not for people of this kind"
	case person.Organisation == "X1":
		return "the organisation has no agreement"
	case person.User == "newcomer":
		return "the user has no role"
	case person.User == "stranger":
		return "the user has no record"
	case tx.launch != nil && tx.launch.user != person.User:
		return "the launch is for another user"
	}
	return ""
}

func needsPatient(scope string) bool {
	return strings.Contains(scope, "patient/") || strings.Contains(scope, "launch/patient")
}

// transaction returns the transaction of an id; nil for none.
func (m *model) transaction(id string) *modelTransaction {
	for _, tx := range m.transactions {
		if tx.id == id {
			return tx
		}
	}
	return nil
}
