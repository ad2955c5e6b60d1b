package rest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"carerecord/conformance/validate"
	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/fhir/search"
	"carerecord/store"
)

// call is one request on its way, or one entry of a bundle.
type call struct {
	r           *http.Request
	interaction consent.Interaction
	typ, id     string // as the path names them
	version     string
	member      string // of a compartment: a type or *
	form        bool   // the form body was read
	asked       string // the form body of a search
	allow       string // of a 405
	caller      consent.Principal
	params      []search.Param
	prefer      prefer
	contentType string // of the answer
	pretty      bool   // the answer is indented
	body        []byte // of a bundle entry; nil to read it from the request
	entry       bool   // an entry of a batch
	requestID   string
	validation  validate.Mode
	warnings    []fhir.Issue // of the body, once accepted
	place       string       // of a batch entry, Bundle.entry[i]
	named       consent.NamedPatient
	criteria    consent.NamedPatient // whom the criteria of a conditional write name, for the trail
	granted     *consent.Grant       // once decided
	marks       []store.StateWrite   // of a load, in the same commit
	leave       func()               // the crowd of requests under way

	unidentified bool   // it came without a valid token
	leakedToken  string // id of another caller's token that stood in a wrong place
}

// answer is what a handler made. Nothing of it has left.
type answer struct {
	status int
	header map[string]string
	body   []byte
	// contentType is that of the body where it is not FHIR.
	contentType string
	disclosed   []audit.Item
	count       *int
	recorded    bool // its record is durable already
	doc         store.Doc
	public      bool // holds no patient data
	hungUp      bool // the client hung up before it was made
}

// serve turns a handler into a gin handler. open needs no token.
func (s *Server) serve(interaction consent.Interaction, h handler, open bool) gin.HandlerFunc {
	return func(g *gin.Context) {
		c := &call{r: g.Request, interaction: interaction, typ: g.Param("type"), id: g.Param("id"), version: g.Param("vid"), member: g.Param("member"),
			allow: g.Writer.Header().Get("Allow"), requestID: requestID(g.Request), validation: s.cfg.Validation}
		g.Header("X-Request-Id", c.requestID)
		if sent := g.GetHeader("X-Request-Id"); sent != "" && sent != c.requestID {
			g.Header("X-Correlation-Id", printable(sent))
		}
		if g.Request.Body != nil && g.Request.ContentLength != 0 {
			// The deadline reaches the body too. Later than the call's own, which
			// says more; a writer of a test that has none goes without.
			_ = http.NewResponseController(g.Writer).SetReadDeadline(time.Now().Add(s.deadline(c) + lastBytes))
		}
		open := open && !HasLeakedToken(g.Request)
		s.watched(g.Request.Context(), c, func(ctx context.Context) *answer {
			a := s.answer(ctx, c, h, open)
			s.write(g.Writer, c, a)
			return a
		})
	}
}

// lastBytes is how long after its deadline a request may still send.
const lastBytes = time.Second

// answer runs a call from the caller to the durable record.
func (s *Server) answer(ctx context.Context, c *call, h handler, open bool) (a *answer) {
	ctx, cancel := context.WithTimeout(ctx, s.deadline(c))
	defer cancel()
	err := s.prepare(ctx, c, open)
	if c.leave != nil {
		defer c.leave()
	}
	if err == nil {
		err = over(ctx) // for the entries of a batch that are left when its time is up
	}
	if err == nil {
		a, err = s.guarded(ctx, c, h)
	}
	if err != nil {
		a = s.failed(c, err)
	}
	if a.recorded || open {
		return a
	}
	return s.recorded(ctx, c, a, err)
}

// recorded returns an answer once its record is durable, or the answer that says that it
// cannot be. Requests without a valid token are limited by address first (AUD-101, LIM-006).
func (s *Server) recorded(ctx context.Context, c *call, a *answer, cause error) *answer {
	appended := func(r audit.Record) error { return s.cfg.Audit.Append(ctx, r) }
	if c.unidentified {
		sent := s.cfg.Unidentified.Admit(address(c.r), s.cfg.Clock())
		if most := s.cfg.Limits.UnidentifiedRate; most > 0 && sent > most {
			return s.failed(c, throttled("This address sends more than %d requests a second without a valid token.", most))
		}
		if sent > 1 {
			return a // counted
		}
		appended = func(r audit.Record) error { return s.cfg.Unidentified.Append(ctx, s.cfg.Audit, r) }
	}
	if s.cfg.Audit == nil {
		return a
	}
	if err := appended(s.record(ctx, c, a, cause)); err != nil {
		return s.failed(c, &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "transient", Text: "The request cannot be recorded now, so it cannot be answered. Try again."}},
			Cause: err, Header: map[string]string{"Retry-After": "1"}})
	}
	return a
}

func (s *Server) deadline(c *call) time.Duration {
	if c.interaction == consent.Batch {
		return s.cfg.Limits.BundleDeadline
	}
	return s.cfg.Limits.Deadline
}

// guarded runs the handler; a panic harms no other request (REST-005).
func (s *Server) guarded(ctx context.Context, c *call, h handler) (a *answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			a, err = nil, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return h(ctx, c)
}

// prepare finds out who calls, and reads what every call has: URL, format, parameters. Who
// calls is known before anything is refused, or anybody could fill the trail with requests
// that are not understood.
func (s *Server) prepare(ctx context.Context, c *call, open bool) error {
	c.contentType = fhirJSON + "; charset=utf-8"
	misread := s.readURL(c)
	if open || c.entry {
		return misread
	}
	var err error
	c.caller, err = s.cfg.Verify(ctx, c.r.Header, address(c.r))
	if e, ok := fhir.AsError(err); ok && e.Status == http.StatusUnauthorized {
		c.unidentified = true
	}
	err = s.misplaced(ctx, c, err)
	if _, leaked := consent.AsRefusal(err); c.unidentified && c.outside() && !leaked {
		err = nil // 404 for everybody: there is nothing to be let in to
	}
	if !c.unidentified {
		var crowded error
		if c.leave, crowded = s.crowd.enter(cmp.Or(c.caller.Client, address(c.r))); crowded != nil {
			return crowded
		}
	}
	if s.cfg.Closed != nil {
		if closed := s.cfg.Closed(); closed != nil {
			return closed
		}
	}
	if err == nil {
		err = misread
	}
	return err
}

// outside reports whether the path is neither the base nor below it.
func (c *call) outside() bool {
	return c.r.URL.Path != "/fhir" && !strings.HasPrefix(c.r.URL.Path, "/fhir/")
}

// readURL reads URL, format and parameters.
func (s *Server) readURL(c *call) error {
	if len(c.r.URL.RequestURI()) > s.cfg.Limits.URL {
		return fhir.Fault(414, "too-long", "The URL is longer than %d bytes.", s.cfg.Limits.URL)
	}
	var err error
	if c.params, err = search.ParseQuery(c.r.URL.RawQuery); err != nil {
		return err
	}
	if c.contentType, err = c.formatOf(c.params); err != nil {
		return err
	}
	c.prefer = readPrefer(c.r.Header, s.cfg.Strict)
	return c.indent(c.params)
}

// address is the network address of the client, without its port.
func address(r *http.Request) string {
	if i := strings.LastIndexByte(r.RemoteAddr, ':'); i > 0 {
		return r.RemoteAddr[:i]
	}
	return r.RemoteAddr
}

// request says what the call asks for, for the decision.
func (c *call) request(letter consent.Permission) consent.Request {
	req := consent.Request{Interaction: c.interaction, Type: c.typ, Permission: letter, Named: c.named}
	if c.interaction == consent.SearchWithin {
		if req.Type = c.member; req.Type == "*" {
			req.Type = "" // types without the letter are left out
		}
	}
	return req
}

// record is the record of a call and its answer.
func (s *Server) record(ctx context.Context, c *call, a *answer, err error) audit.Record {
	r := audit.Record{Recorded: s.cfg.Clock().UTC(), Request: c.requestID, Interaction: string(c.interaction), Type: c.typ,
		Status: a.reported(), Disclosed: a.disclosed, Count: a.count, Query: c.query()}
	if c.id != "" {
		r.Type += "/" + c.id
	}
	r.Agent, r.Client = audit.AgentOf(c.caller)
	r.Client.Address = address(c.r)
	r.Decision = audit.Decision{Outcome: "permit"}
	r.Named = c.named.ID
	if c.granted != nil {
		r.Decision.Step, r.Decision.Reason = c.granted.Step, c.granted.Reason
		if p := c.granted.Patient(); p != "" {
			r.Named = p
		}
	}
	switch {
	case r.Named != "":
	case c.typ == "Patient" && c.id != "":
		r.Named = c.id
	case c.named.Where != nil: // whatever was decided, the trail says of whom (AUD-303)
		r.Named = s.cfg.Guard.ResolveNamed(ctx, c.named)
	case err != nil && !c.criteria.None():
		r.Named = s.cfg.Guard.ResolveNamed(ctx, c.criteria)
	}
	if c.leakedToken != "" {
		r.LeakedToken = c.leakedToken
	}
	var refusal *consent.Refusal
	switch {
	case errors.As(err, &refusal):
		r.Decision = audit.Decision{Outcome: "refuse", Step: refusal.Step, Reason: refusal.Reason}
	case err != nil && a.status >= 500:
		r.Decision.Outcome = "fail"
	case err != nil && (a.status == 401 || a.status == 403):
		r.Decision.Outcome = "refuse"
	}
	return r
}

// query is what was asked for, as the trail keeps it: the query string and the
// form of a search.
func (c *call) query() string {
	url, asked := withoutTokens(c.r.URL.RawQuery), withoutTokens(c.asked)
	if asked == "" || url == "" {
		return url + asked
	}
	return url + "&" + asked
}

// requestID takes the client's id if it is usable, else makes one (REST-020).
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); id != "" && len(id) <= 128 && printable(id) == id {
		return id
	}
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func printable(s string) string {
	if len(s) > 128 {
		s = s[:128]
	}
	return strings.Map(func(r rune) rune {
		if r < 0x21 || r > 0x7e {
			return -1
		}
		return r
	}, s)
}
