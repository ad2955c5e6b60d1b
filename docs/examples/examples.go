package examples

import (
	"bytes"
	"embed"
	"net/http"
	"path"
	"strings"
)

// The paths of the site, below its address.
const (
	EHRPath    = "/ehr/"
	StartPath  = "/app/start.html"  // of the app, standalone
	LaunchPath = "/app/launch.html" // of the app, by an EHR
	BackPath   = "/app/index.html"  // the redirect URI of the app
)

//go:embed app/*.html app/*.js style.css
var files embed.FS

// builtIn is the FHIR base in app/settings.js.
const builtIn = "http://127.0.0.1:8080/fhir"

// Site serves the app and the EHR. record is the address of the site of the record, without /fhir: the app reads from there, and
// nowhere else.
func Site(record string, ehr http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src "+record+"; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer") // addresses of the app contain codes and handles
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		switch {
		case r.URL.Path == EHRPath:
			ehr.ServeHTTP(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			http.Error(w, "There is no such page.", http.StatusNotFound)
		default:
			serveFile(w, r.URL.Path, record)
		}
	})
}

// types are the media types of the files.
func types() map[string]string {
	return map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
}

func serveFile(w http.ResponseWriter, name, record string) {
	text, err := files.ReadFile(strings.TrimPrefix(name, "/"))
	if err != nil {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		// The record is not served under this host name.
		w.Write([]byte("There is no such page. The example EHR is at " + EHRPath + ", the example app at " + StartPath + ", and the record at " + record + ".\n"))
		return
	}
	if path.Base(name) == "settings.js" {
		text = bytes.ReplaceAll(text, []byte(builtIn), []byte(record+"/fhir"))
	}
	w.Header().Set("Content-Type", types()[path.Ext(name)])
	w.Write(text)
}
