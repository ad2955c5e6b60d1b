package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/store"
)

// clientsPath is the path of the clients on the address of --admin (SMART-052).
const clientsPath = "/admin/clients"

// maxClientBody bounds a request of the API.
const maxClientBody = 1 << 20

// clientVerbs are the verbs of a client that have no other method or path.
func clientVerbs() []string {
	return []string{"approve", "suspend", "resume", "rotate-secret", "set-keys", "revoke-tokens", "withdraw"}
}

// isClientAPI reports whether a path belongs to the API for clients.
func isClientAPI(path string) bool {
	return path == clientsPath || strings.HasPrefix(path, clientsPath+"/") || path == "/admin/end-grants"
}

// answerClientAPI answers a request of an administrator for clients. It does what the command line does, with the same code.
func (n *Node) answerClientAPI(w http.ResponseWriter, q *http.Request, p consent.Principal) {
	request, err := readClientRequest(q)
	if err != nil {
		writeError(w, err)
		return
	}
	answer, err := n.registry(q.Context(), n.administratorName(p), request)
	if err != nil {
		writeError(w, registryError(err))
		return
	}
	body, err := json.Marshal(answer)
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if request.Verb == "add" {
		w.WriteHeader(http.StatusCreated)
	}
	_, _ = w.Write(append(body, '\n')) // kept until it is recorded
}

// administratorName returns the user of an administrator, by which proposals and approvals name a person: give it the name of the
// account on the machine, so that nobody approves a proposal of their own by another way (SMART-066).
func (n *Node) administratorName(p consent.Principal) string {
	i := slices.IndexFunc(n.policy.People, func(one policy.Person) bool { return one.Kind == policy.KindAdministrator && one.Subject == p.Subject })
	if i < 0 {
		return p.Subject
	}
	return n.policy.People[i].User
}

// readClientRequest reads a request of the API. The error is a *fhir.Error.
func readClientRequest(q *http.Request) (r ClientRequest, err error) {
	body, err := io.ReadAll(io.LimitReader(q.Body, maxClientBody+1))
	if err != nil || len(body) > maxClientBody {
		return r, fhir.Fault(http.StatusRequestEntityTooLarge, "too-long", "The body is longer than %d bytes.", maxClientBody)
	}
	if q.URL.RawQuery != "" {
		return r, fhir.Fault(http.StatusBadRequest, "invalid", "Parameters are in the body, not in the URL.")
	}
	method := q.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	id, verb, _ := strings.Cut(strings.Trim(strings.TrimPrefix(q.URL.Path, clientsPath), "/"), "/")
	r.ID = id
	switch {
	case q.URL.Path == "/admin/end-grants" && method == http.MethodPost:
		r.ID, r.Verb = "", "end-grants"
		err = readEndGrants(body, &r)
	case q.URL.Path == "/admin/end-grants":
		return r, notAllowed("POST")
	case id == "" && method == http.MethodGet:
		r.Verb = "list"
	case id == "" && method == http.MethodPost:
		r.Verb = "add"
		r.Client, err = decodeClient(body)
	case id == "":
		return r, notAllowed("GET, POST")
	case id == "export" && verb == "" && method == http.MethodGet:
		r.ID, r.Verb = "", "export"
	case id == "import" && verb == "" && method == http.MethodPost:
		r.ID, r.Verb = "", "import"
		var exported struct{ Clients []clients.Client }
		err = json.Unmarshal(body, &exported)
		r.Import = exported.Clients
	case verb == "" && method == http.MethodGet:
		r.Verb = "show"
	case verb == "" && method == http.MethodPut:
		r.Verb = "change"
		r.Client, err = decodeClient(body)
	case verb == "":
		return r, notAllowed("GET, PUT")
	case !slices.Contains(clientVerbs(), verb):
		return r, fhir.Fault(http.StatusNotFound, "not-supported", "No such path is served here.")
	case method != http.MethodPost:
		return r, notAllowed("POST")
	default:
		r.Verb = verb
		err = readVerb(body, &r)
	}
	if err != nil {
		return r, unreadable(err)
	}
	return r, nil
}

func notAllowed(allow string) error {
	e := fhir.Fault(http.StatusMethodNotAllowed, "not-supported", "The path has another method.")
	e.Header = map[string]string{"Allow": allow}
	return e
}

func decodeClient(body []byte) (*clients.Client, error) {
	c, err := clients.Decode(body)
	return &c, err
}

// readVerb reads the body of a verb. Only approve, set-keys and withdraw have one.
func readVerb(body []byte, r *ClientRequest) error {
	if len(body) == 0 {
		return nil
	}
	var in struct {
		Digest       string          `json:"digest"`
		Keys         json.RawMessage `json:"keys"`
		URL          string          `json:"keysURL"`
		Organisation string          `json:"organisation"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return err
	}
	r.Digest, r.Keys, r.URL, r.Of.Organisation = in.Digest, in.Keys, in.URL, in.Organisation
	return nil
}

// readEndGrants reads whose grants end: exactly one of its members is given, so that an empty body ends nothing.
func readEndGrants(body []byte, r *ClientRequest) error {
	var in struct {
		Organisation, User, Grant string
		Everybody                 bool
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return err
	}
	given := 0
	for _, one := range []bool{in.Organisation != "", in.User != "", in.Grant != "", in.Everybody} {
		if one {
			given++
		}
	}
	if given != 1 {
		return wrongBody("exactly one of organisation, user, grant and everybody is required")
	}
	r.Of, r.Grant = grants.Of{Organisation: in.Organisation, User: in.User}, in.Grant
	return nil
}

// registryError returns the answer of an error of the registry.
func registryError(err error) error {
	switch {
	case errors.Is(err, clients.ErrUnknown):
		return fhir.Fault(http.StatusNotFound, "not-found", "There is no such client.")
	case errors.Is(err, errNoGrant):
		return fhir.Fault(http.StatusNotFound, "not-found", "There is no such grant, or it has ended.")
	case errors.Is(err, clients.ErrRefused):
		return fhir.Fault(http.StatusUnprocessableEntity, "business-rule", "%v", err)
	case errors.Is(err, store.ErrConflict):
		return fhir.Fault(http.StatusConflict, "conflict", "Others change the client at the same time. Try again.")
	}
	return &fhir.Error{Status: http.StatusServiceUnavailable, Issues: []fhir.Issue{{Code: "transient", Text: "The clients cannot be read or changed now. Try again."}},
		Cause: fmt.Errorf("answer an administrator: %w", err), Header: map[string]string{"Retry-After": "1"}}
}
