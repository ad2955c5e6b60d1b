package node

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"carerecord/interop/smart/printed"
)

// TestIdentityLinks: which identifier an account has at which app is in no answer of the FHIR API and in no backup (SMART-445).
func TestIdentityLinks(t *testing.T) {
	const link = "5ecre7-1dent1ty-l1nk"
	cfg := demoConfig(t, t.TempDir())
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.engine.Insert(t.Context(), "smart/subject/digest", []byte(link), unmarked); err != nil {
		t.Fatal(err)
	}
	token, _, err := n.smart.Printed.Issue(t.Context(), "test", printed.Request{User: "consultant", Client: "demo-ehr"})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/fhir", "/fhir/Patient", "/fhir/Person", "/fhir/Practitioner", "/fhir/Basic", "/fhir/AuditEvent", "/fhir/_history", "/fhir/metadata", "/fhir/?_type=Person,Linkage"} {
		q := httptest.NewRequest(http.MethodGet, path, nil)
		q.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		n.Handler().ServeHTTP(w, q)
		if w.Code == http.StatusUnauthorized || path == "/fhir/Patient" && w.Code != http.StatusOK {
			t.Errorf("%s: got %d %.200s", path, w.Code, w.Body)
		}
		if bytes.Contains(w.Body.Bytes(), []byte(link)) {
			t.Errorf("SMART-445: %s tells the link: %s", path, w.Body)
		}
	}
	n.Close()
	dir := filepath.Join(t.TempDir(), "backup")
	if _, err := Backup(t.Context(), cfg, dir); err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if zip, notZipped := gzip.NewReader(bytes.NewReader(text)); notZipped == nil {
			files++
			text, err = io.ReadAll(zip)
		}
		if bytes.Contains(text, []byte(link)) || bytes.Contains(text, []byte("smart/subject")) {
			t.Errorf("SMART-445: %s of the backup has the link", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("the backup has %d compressed files, %v", files, err)
	}
}
