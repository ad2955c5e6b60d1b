package fault

import (
	"os"
	"testing"
	"time"

	"carerecord/conformance/wait"
	"carerecord/store/mongo"
	"carerecord/store/mongo/mongotest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Run(m)) }

func TestPrimary(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  fault
		always bool // requests must be refused
	}{
		{"that is unreachable", unreachable, true},
		{"that hangs", hangs, true},
		{"that is slow", slow, true},
		{"that steps down", stepsDown, true},
		{"whose connections break", flickers, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()                                   // it mostly waits for deadlines to pass
			uri, name := mongotest.StartOwn(t).Database(t) // the stand-in does not end abandoned transactions
			proxy, through := newProxy(t, uri)
			open := func(uri string, timeout time.Duration) *mongo.DB {
				t.Helper()
				db, err := mongo.Open(t.Context(), mongo.Config{URI: uri, Database: name, Timeout: timeout, NoticeStandIn: true})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { db.Close() })
				return db
			}
			s := serve(t, open(through, deadline), deadline)
			stop := s.work()
			s.await(writes, 10, 200, 201)
			proxy.set(c.fault)
			s.forget()
			if c.always {
				s.await(everything, 3, 503)
			} else {
				s.await(everything, 4, 200, 201, 404, 503)
			}
			for _, method := range everything {
				refused, all := s.counted(method, 503)
				t.Logf("%d of %d answers to %s meanwhile were refusals", refused, all, method)
			}
			proxy.set(none)
			if n := proxy.broke(); c.fault == flickers && n < 10 {
				t.Errorf("%d connections broke, want 10 or more", n)
			}
			stop()
			s.answersAgain()
			s.checkAll(true)
			after := s.over(open(uri, patience))
			after.checkAll(true)
			after.checkCreated()
			if err := open(uri, patience).Verify(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// answersAgain waits until the server answers: the driver looks for a primary at intervals.
func (s *site) answersAgain() {
	s.t.Helper()
	if !wait.For(patience, func() bool { return s.send("GET", "/Patient/g.unheard-of", "").Code == 404 }) {
		s.t.Error("the site does not answer after the fault")
	}
}
