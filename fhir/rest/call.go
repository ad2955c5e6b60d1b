package rest

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"

	"carerecord/conformance/validate"
	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/fhir/search"
	"carerecord/store"
)

// call is one request, or one entry of a bundle, while it is being answered. It is for one
// goroutine.
type call struct {
	request
	negotiated
	outcome
}

// request is the request of the client. It is complete before a handler runs, except for the parts that handlers read
// from the body.
type request struct {
	pathParams
	r           *http.Request
	interaction consent.Interaction
	requestID   string
	caller      consent.Principal
	params      []search.Param
	body        []byte // of a bundle entry; nil to read it from r
	entry       bool   // an entry of a batch or transaction
	location    string // of the entry: Bundle.entry[i]
	form        bool   // the form body was read
	formText    string // the form body of a search, or the parameters of an operation

	unidentified bool // without a valid token
}

// negotiated is the form of the answer, from Accept, Prefer and the parameters. It is complete
// before a handler runs.
type negotiated struct {
	prefer      prefer
	contentType string
	pretty      bool          // indented JSON
	validation  validate.Mode // how strictly bodies are checked
}

// outcome has the results of handlers, for the audit record and for the answer.
type outcome struct {
	warnings    []fhir.Issue         // about the accepted body
	named       consent.NamedPatient // the patient whom the request names
	criteria    consent.NamedPatient // the patient whom the criteria of a conditional write name
	granted     *consent.Grant       // nil before the decision
	marks       []store.StateWrite   // of a load, committed with the changes
	leakedToken string               // id of another requester's token that was in a wrong place
}

// answer is the answer to a call before anything of it is sent.
type answer struct {
	status      int
	header      map[string]string
	body        []byte
	contentType string // of a body that is not FHIR
	disclosed   []audit.Item
	count       *int
	recorded    bool // the audit record is durable
	doc         store.Doc
	public      bool // has no patient data
	hungUp      bool // the client closed the connection first
}

// query returns the parameters of the request for the audit record: the query string, and the form of
// a search.
func (c *call) query() string {
	url, form := withoutTokens(c.r.URL.RawQuery), withoutTokens(c.formText)
	if form == "" || url == "" {
		return url + form
	}
	return url + "&" + form
}

// decision returns the question that the guard decides for the call.
func (c *call) decision(permission consent.Permission) consent.Request {
	req := consent.Request{Interaction: c.interaction, Type: c.typ, ID: c.id, Permission: permission, Named: c.named}
	if c.interaction == consent.SearchWithin {
		if req.Type = c.member; req.Type == "*" {
			req.Type = "" // types that the requester may not search are left out
		}
	}
	return req
}

// outside reports whether the path is neither the base nor below it.
func (c *call) outside() bool {
	return c.r.URL.Path != basePath && !strings.HasPrefix(c.r.URL.Path, basePath+"/")
}

// isOperation reports whether the path has the name of an operation.
func (c *call) isOperation() bool { return strings.Contains(c.r.URL.Path, "/$") }

// address returns the network address of the client, without the port.
func address(r *http.Request) string {
	if i := strings.LastIndexByte(r.RemoteAddr, ':'); i > 0 {
		return r.RemoteAddr[:i]
	}
	return r.RemoteAddr
}

// requestID returns the client's request id if it is usable, else a new one (REST-020).
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); id != "" && len(id) <= 128 && printable(id) == id {
		return id
	}
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// printable removes everything but visible ASCII characters, and cuts after 128 bytes.
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
