package keys_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carerecord/interop/smart/keys"
)

// clock is a clock that a test sets.
type clock struct {
	now  time.Time
	stop func() // called when the time is read, if it is set
}

func (c *clock) time() time.Time {
	if c.stop != nil {
		c.stop()
	}
	return c.now
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func load(t *testing.T, dir string, at *clock) *keys.Keys {
	t.Helper()
	k, err := keys.Load(dir, true, at.time)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// signed returns the kid with which keys sign now, and checks the signature with published keys.
func signed(t *testing.T, k, publishing *keys.Keys) string {
	t.Helper()
	token, err := k.Sign([]byte(`{"sub":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	object, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	kid := object.Signatures[0].Header.KeyID
	set := publishing.Public()
	if got := set.Key(kid); len(got) != 1 {
		t.Errorf("SMART-386: the key that signs is published %d times", len(got))
	} else if _, err := object.Verify(got[0]); err != nil {
		t.Errorf("SMART-380: %v", err)
	}
	return kid
}

// TestKeys: keys are files; their public halves alone are published, each named by its thumbprint (SMART-385, 387, T43).
func TestKeys(t *testing.T) {
	dir, at := t.TempDir(), newClock()
	if _, err := keys.Load(dir, false, at.time); err == nil || !strings.Contains(err.Error(), "openssl genpkey") {
		t.Errorf("SMART-387: without a key: got %v, want what to do", err)
	}
	k := load(t, dir, at)
	again, err := keys.Load(dir, false, at.time)
	if err != nil {
		t.Fatal(err)
	}
	signed(t, k, again)
	published, err := json.Marshal(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{`"d"`, `"p"`, `"q"`, `"dp"`, `"dq"`, `"qi"`} {
		if strings.Contains(string(published), private) {
			t.Errorf("T43: the published keys have the member %s", private)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "signing.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("SMART-387: the file of the key: got %v, %v, want it readable by its owner alone", info, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "signing-next.pem"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Load(dir, true, at.time); err == nil || !strings.Contains(err.Error(), "keys rotate") {
		t.Errorf("a key whose name says no instant: got %v", err)
	}
	if err := os.Rename(filepath.Join(dir, "signing-next.pem"), filepath.Join(dir, "signing.pem")); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Load(dir, true, at.time); err == nil {
		t.Error("SMART-387: a damaged key is replaced silently")
	}
	if err := k.Reload(); err == nil || len(k.Public().Keys) != 1 {
		t.Errorf("after a failed reload: got %v with %d keys, want the keys of before", err, len(k.Public().Keys))
	}
}

// TestSMART386Rotation: the next key is published for twice the time of the clients' caches before it signs, on every server of the
// folder, and the key before it stays until its last token has ended.
func TestSMART386Rotation(t *testing.T) {
	dir, at := t.TempDir(), newClock()
	k := load(t, dir, at)
	other := load(t, dir, at) // another server of the folder
	old := signed(t, k, other)
	began := at.now
	made, err := k.Rotate(false)
	if err != nil || made.State != "next" {
		t.Fatalf("got %+v, %v", made, err)
	}
	if wait := made.Starts.Sub(began); wait < 2*keys.CacheTime+keys.ReloadEvery {
		t.Errorf("the new key is published %s before it signs, want twice %s and the time until servers read it", wait, keys.CacheTime)
	}
	if _, err := k.Rotate(false); err == nil {
		t.Error("a second rotation while a key waits was accepted")
	}
	if k.Due(0) {
		t.Error("another rotation is due while a key waits")
	}
	at.now = began.Add(keys.ReloadEvery)
	if err := other.Reload(); err != nil {
		t.Fatal(err)
	}
	cached := other.Public() // as a client keeps it
	for _, step := range []struct {
		at        time.Time
		signs     string
		published int
	}{
		{made.Starts.Add(-time.Nanosecond), old, 2}, {made.Starts, made.ID, 2}, {made.Starts.Add(time.Hour - time.Nanosecond), made.ID, 2}, {made.Starts.Add(time.Hour), made.ID, 1},
	} {
		at.now = step.at
		for _, server := range []*keys.Keys{k, other} {
			if kid := signed(t, server, other); kid != step.signs || len(cached.Key(kid)) != 1 || len(server.Public().Keys) != step.published {
				t.Errorf("at %s: %s signs and %d keys are published, want %s, %d, and a key that clients have", step.at, kid, len(server.Public().Keys), step.signs, step.published)
			}
		}
	}
	if got := k.List(); got[0].State != "retired" || got[1].State != "signs" {
		t.Errorf("got %+v", got)
	}
	if !k.Due(time.Hour) || k.Due(2*time.Hour) {
		t.Error("a rotation is due once the key has signed for its life")
	}
	if _, err := k.Rotate(false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "signing.pem")); !os.IsNotExist(err) {
		t.Errorf("the file of the retired key: got %v, want it removed", err)
	}
}

// TestSMART386Emergency: a key that others may know signs nothing more, and is not published any more, at once.
func TestSMART386Emergency(t *testing.T) {
	dir, at := t.TempDir(), newClock()
	k := load(t, dir, at)
	old := signed(t, k, k)
	if _, err := k.Rotate(false); err != nil {
		t.Fatal(err)
	}
	at.now = at.now.Add(time.Minute)
	made, err := k.Rotate(true)
	if err != nil || made.State != "signs" {
		t.Fatalf("got %+v, %v", made, err)
	}
	if kid := signed(t, k, k); kid != made.ID || kid == old || len(k.Public().Keys) != 1 {
		t.Errorf("%s signs and %d keys are published, want the new key alone", kid, len(k.Public().Keys))
	}
	if _, err := k.Rotate(true); err == nil {
		t.Error("two emergencies within a second made one file")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Errorf("got the files %v, %v, want that of the new key alone", files, err)
	}
}

// TestSMART386OneSecond: of rotations at the same time, of one server and of two, one makes a key, and no file is replaced.
func TestSMART386OneSecond(t *testing.T) {
	dir, at := t.TempDir(), newClock()
	servers := []*keys.Keys{load(t, dir, at), load(t, dir, at)}
	made := make(chan keys.Listed, 8)
	var all sync.WaitGroup
	for i := range cap(made) {
		all.Go(func() {
			if one, err := servers[i%2].Rotate(true); err == nil {
				made <- one
			}
		})
	}
	all.Wait()
	if len(made) != 1 {
		t.Fatalf("SMART-386: %d rotations in one second made a key, want one", len(made))
	}
	if err := servers[0].Reload(); err != nil {
		t.Fatal(err)
	}
	if one, got := <-made, servers[0].List(); got[len(got)-1].ID != one.ID {
		t.Errorf("SMART-386: the key is %+v, want %+v", got, one)
	}
}

// TestSMART386Stubborn: in an emergency a file that cannot be removed keeps no other file, and the new key signs.
func TestSMART386Stubborn(t *testing.T) {
	dir, at := t.TempDir(), newClock()
	k := load(t, dir, at)
	old := signed(t, k, k)
	if _, err := k.Rotate(false); err != nil {
		t.Fatal(err)
	}
	// A folder in the place of the first file cannot be removed while it has a file; it is there when the folder was read.
	stubborn := filepath.Join(dir, "signing.pem")
	at.stop = func() {
		at.stop = nil
		if err := errors.Join(os.Remove(stubborn), os.MkdirAll(filepath.Join(stubborn, "x"), 0o700)); err != nil {
			t.Error(err)
		}
	}
	at.now = at.now.Add(time.Minute)
	if _, err := k.Rotate(true); err == nil || !strings.Contains(err.Error(), "signing.pem") {
		t.Errorf("SMART-386: got %v, want the file that could not be removed", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "signing-*.pem")); err != nil || len(left) != 1 {
		t.Errorf("SMART-386: got the files %v, %v, want that of the new key", left, err)
	}
	if err := os.RemoveAll(stubborn); err != nil {
		t.Fatal(err)
	}
	if err := k.Reload(); err != nil || signed(t, k, k) == old {
		t.Errorf("SMART-386: the old key signs, %v", err)
	}
}

// TestSampleKey: the sample issuers of a demonstration keep one key, which signs nothing of the record and is not published with
// its keys.
func TestSampleKey(t *testing.T) {
	dir, at := t.TempDir(), newClock()
	made, err := keys.Sample(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := keys.Sample(dir); err != nil || !again.Equal(made) {
		t.Errorf("got another key, %v", err)
	}
	if slices.ContainsFunc(load(t, dir, at).Public().Keys, func(k jose.JSONWebKey) bool { return made.PublicKey.Equal(k.Key) }) {
		t.Error("the sample key is published among the signing keys")
	}
}
