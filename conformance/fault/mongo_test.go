package fault

import (
	"os"
	"testing"
	"time"

	"carerecord/store/mongo"
	"carerecord/store/mongo/mongotest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Run(m)) }

func TestPrimary(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  fault
		always bool // some requests must be refused
	}{
		{"that is cut off", cut, true},
		{"that hangs", hangs, true},
		{"that is late", late, true},
		{"that steps down", steps, true},
		{"whose connections break", flickers, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			uri, name := mongotest.Own(t).Database(t) // the stand-in never ends what nobody ends
			proxy, through := newProxy(t, uri)
			open := func(uri string) *mongo.DB {
				t.Helper()
				db, err := mongo.Open(t.Context(), mongo.Config{URI: uri, Database: name, Timeout: deadline, NoticeStandIn: true})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { db.Close() })
				return db
			}
			s := serve(t, open(through))
			stop := s.work()
			time.Sleep(500 * time.Millisecond)
			s.told(0)
			proxy.set(c.fault)
			time.Sleep(3 * deadline)
			refused, all := s.told(503)
			if refused == 0 && c.always || all == 0 {
				t.Errorf("%d of %d requests were refused meanwhile", refused, all)
			}
			proxy.set(none)
			stop()
			t.Logf("%d of %d requests were refused meanwhile", refused, all)
			s.answersAgain()
			s.look(true)
			after := s.over(open(uri))
			after.look(true)
			after.count()
			if err := open(uri).Verify(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// answersAgain waits until the server answers: the driver looks for a primary
// now and then.
func (s *site) answersAgain() {
	s.t.Helper()
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if s.send("GET", "/Patient/g.unheard-of", "").Code == 404 {
			return
		}
	}
	s.t.Error("the site does not answer after the fault")
}
