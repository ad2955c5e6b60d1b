package ehr

import (
	"crypto/ecdsa"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
)

// Config is what the EHR knows.
type Config struct {
	Record   string            // FHIR base of the shared record
	ClientID string            // id of the EHR there: a backend client with the right __launch
	Key      *ecdsa.PrivateKey // on the curve P-384; the record has its public half
	KeyID    string
	App      App
	Users    []User    // its own users, under the names that the record knows
	Patients []Patient // its own patients
}

// App is an app that the EHR offers.
type App struct{ ClientID, Name string }

// User is a user of the EHR.
type User struct{ Name, Role string }

// Patient is a patient of the EHR. ID is that of its Patient in the shared record.
type Patient struct {
	ID, Name, BirthDate string
	Encounters          []Encounter
}

// Encounter is a contact of a patient with the EHR's organisation.
type Encounter struct{ ID, Text string }

//go:embed page.html
var pageFile embed.FS

// EHR serves the pages of the EHR. It is safe for concurrent use.
type EHR struct {
	cfg  Config
	page *template.Template
}

// New returns an EHR.
func New(cfg Config) (*EHR, error) {
	page, err := template.ParseFS(pageFile, "page.html")
	if err != nil {
		return nil, fmt.Errorf("read the page of the EHR: %w", err)
	}
	return &EHR{cfg: cfg, page: page}, nil
}

// view is the data of the page: the list of patients, the form of one patient, or what was sent.
type view struct {
	Title    string
	App      App
	Patients []Patient
	Patient  *Patient
	Users    []User
	Sent     []Exchange
	Link     string // to open; empty if the record refused the launch
}

// ServeHTTP shows the patients; with the parameter patient, the form to launch the app; after its post, what was sent.
func (e *EHR) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil { // a page of another site may not launch apps
		http.Error(w, "This form was sent by another site.", http.StatusForbidden)
		return
	}
	chosen := e.patient(r.FormValue("patient"))
	switch {
	case r.Method == http.MethodGet && chosen == nil:
		e.show(w, view{Title: "Choose a patient", Patients: e.cfg.Patients})
	case r.Method == http.MethodGet:
		e.show(w, view{Title: chosen.Name, App: e.cfg.App, Patient: chosen, Users: e.cfg.Users})
	case r.Method == http.MethodPost && chosen != nil:
		sent, link := e.launch(r.Context(), Launch{ClientID: e.cfg.App.ClientID, User: r.PostFormValue("user"), Patient: chosen.ID,
			Encounter: r.PostFormValue("encounter"), NeedPatientBanner: r.PostFormValue("banner") != ""})
		title := "The launch is announced"
		if link == "" {
			title = "The record refused the launch"
		}
		e.show(w, view{Title: title, App: e.cfg.App, Patient: chosen, Sent: sent, Link: link})
	default:
		http.Error(w, "There is no such page.", http.StatusNotFound)
	}
}

func (e *EHR) patient(id string) *Patient {
	i := slices.IndexFunc(e.cfg.Patients, func(p Patient) bool { return p.ID == id })
	if i < 0 {
		return nil
	}
	return &e.cfg.Patients[i]
}

func (e *EHR) show(w http.ResponseWriter, v view) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := e.page.Execute(w, v); err != nil {
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
	}
}
