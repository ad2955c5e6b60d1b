package idp

import (
	"slices"
	"strconv"
	"strings"

	"carerecord/consent/policy"
	"carerecord/interop/pages"
	"carerecord/interop/smart/session"
)

// Person is a sample person.
type Person struct {
	Subject   string // at this issuer
	Name      string
	Detail    string // role and organisation, or what tells patients apart; shown on the page alone
	Level     int    // of the authentication
	NHSNumber string // of a patient
	BirthDate string // of a patient
}

// PeopleOf returns the people of a policy folder of one kind.
func PeopleOf(f *policy.Folder, kind session.Kind) []Person {
	var out []Person
	for _, p := range f.People {
		person := Person{Subject: p.Subject, Name: p.User, Level: p.Level, NHSNumber: p.Patient, BirthDate: p.BirthDate}
		switch {
		case p.Kind == policy.KindPatient && kind == session.Patient:
			person.Detail = p.Patient
		case p.Kind == policy.KindProxy && kind == session.Patient:
			person.Detail = "Acts for others"
		case p.Kind == policy.KindStaff && kind == session.Staff:
			var roles []string
			for _, r := range p.AllRoles() {
				role, _ := f.Role(r.Role)
				organisation, _ := f.Organisation(r.Organisation)
				roles = append(roles, role.Name+", "+organisation.Name)
			}
			person.Detail = strings.Join(roles, "; ")
		case p.Kind == policy.KindAdministrator && kind == session.Administrator:
			role, _ := f.Role(p.Role)
			person.Detail = role.Name
		default:
			continue
		}
		out = append(out, person)
	}
	return out
}

func (p *Provider) person(subject string) (Person, bool) {
	i := slices.IndexFunc(p.cfg.People, func(person Person) bool { return person.Subject == subject })
	if i < 0 {
		return Person{}, false
	}
	return p.cfg.People[i], true
}

// page returns the page on which one picks a person.
func (p *Provider) page(action string, unanswered bool) pages.SamplePeople {
	page := pages.SamplePeople{Action: action, Kind: pages.PersonStaff, Unanswered: unanswered}
	switch p.cfg.Kind {
	case session.Patient:
		page.Kind = pages.PersonPatient
	case session.Administrator:
		page.Kind = pages.PersonOffice
	case session.Staff:
	}
	for _, person := range p.cfg.People {
		page.People = append(page.People, pages.SamplePerson{Value: person.Subject, Name: person.Name, Detail: person.Detail})
	}
	return page
}

// acr returns the acr value of a level.
func acr(level int) string { return "sample-level-" + strconv.Itoa(level) }

// levels are the levels by their acr values. Level 0 has none.
func levels() map[string]int {
	out := map[string]int{}
	for level := 1; level <= 9; level++ {
		out[acr(level)] = level
	}
	return out
}
