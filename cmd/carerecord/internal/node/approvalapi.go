package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/interop/smart/clients"
)

// appsPath is the path of the apps of an administrator's organisation on the address of --admin (SMART-220).
const appsPath = "/admin/apps"

// isAppsAPI reports whether a path belongs to the API by which organisations approve apps.
func isAppsAPI(path string) bool { return path == appsPath || strings.HasPrefix(path, appsPath+"/") }

// approving is the right of an administrator of an organisation, whose role has the activity apps.
func approving() right {
	return right{clients.RightApps, func(p consent.Principal) bool {
		return p.Kind == consent.Administrator && p.Organisation != "" && slices.Contains(p.Activities, policy.ActivityApps)
	}}
}

// AppOfStaff is a client that the staff of an organisation may use, with the organisation's approval.
type AppOfStaff struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Publisher string   `json:"publisher,omitempty"`
	Scopes    string   `json:"scopes"` // the widest that the client may have
	Purposes  []string `json:"purposes"`
	// Approval is the last approval that was not withdrawn; nil for none. InForce: staff see no screen by it now.
	Approval *clients.OrganisationApproval `json:"approval,omitempty"`
	InForce  bool                          `json:"inForce"`
	// AlwaysAsks: none of the app's redirects is certain to reach the app alone, as those to a program on the device, so staff always see
	// the screen (SMART-222).
	AlwaysAsks bool `json:"alwaysAsks,omitempty"`
}

func appOfStaff(c *clients.Client, organisation string, now time.Time) AppOfStaff {
	out := AppOfStaff{ID: c.ID, Name: c.Name, Publisher: c.Publisher, Scopes: c.Scopes, Purposes: c.Purposes}
	for i, a := range c.ByOrganisations {
		if a.Organisation == organisation {
			out.Approval = &c.ByOrganisations[i]
		}
	}
	_, out.InForce = c.ApprovalOf(organisation, now)
	out.InForce = out.InForce && c.Serves(now)
	out.AlwaysAsks = !slices.ContainsFunc(c.RedirectURIs, c.Reached)
	return out
}

// answerAppsAPI answers a request of an administrator of an organisation. Whatever is asked is about that organisation: no request
// names one.
func (n *Node) answerAppsAPI(w http.ResponseWriter, q *http.Request, p consent.Principal) {
	answer, err := n.appsRequest(q, p)
	var body []byte
	if err == nil {
		body, err = json.Marshal(answer)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n')) // kept until it is recorded
}

// appsRequest carries a request out. The error is a *fhir.Error.
func (n *Node) appsRequest(q *http.Request, p consent.Principal) (any, error) {
	if q.URL.RawQuery != "" {
		return nil, fhir.Fault(http.StatusBadRequest, "invalid", "The path has no parameters.")
	}
	id := strings.TrimPrefix(strings.TrimPrefix(q.URL.Path, appsPath), "/")
	who, r := n.administratorName(p), n.smart.Clients
	var c *clients.Client
	var err error
	switch {
	case id == "" && (q.Method == http.MethodGet || q.Method == http.MethodHead):
		list, err := n.appsOf(q.Context(), p.Organisation)
		if err != nil {
			return nil, registryError(err)
		}
		return map[string]any{"organisation": p.Organisation, "apps": list}, nil
	case id == "":
		return nil, notAllowed("GET, HEAD")
	case q.Method != http.MethodPut && q.Method != http.MethodDelete:
		return nil, notAllowed("PUT, DELETE")
	}
	if err := n.shown(q.Context(), id, p.Organisation); err != nil {
		return nil, registryError(err)
	}
	switch q.Method {
	case http.MethodPut:
		a, failed := readApproval(q.Body)
		if failed != nil {
			return nil, failed
		}
		if !n.policy.Signed(p.Organisation) {
			return nil, fhir.Fault(http.StatusUnprocessableEntity, "business-rule", "The organisation has not signed the agreement.")
		}
		a.Organisation = p.Organisation
		c, err = r.ApproveFor(q.Context(), who, id, a)
	default:
		c, err = r.Withdraw(q.Context(), who, id, p.Organisation)
	}
	if err != nil {
		return nil, registryError(err)
	}
	return appOfStaff(c, p.Organisation, r.Ledger.Now()), nil
}

// shown returns clients.ErrUnknown for a client that the list of an organisation does not have: one of another organisation is answered
// like one that does not exist, whatever the request says.
func (n *Node) shown(ctx context.Context, id, organisation string) error {
	c, err := n.smart.Clients.Get(ctx, id)
	if err == nil && !c.ShownTo(organisation, n.smart.Clients.Ledger.Now()) {
		return clients.ErrUnknown
	}
	return err
}

// appsOf returns the clients that the staff of an organisation may use now, and those that it has approved, by id.
func (n *Node) appsOf(ctx context.Context, organisation string) ([]AppOfStaff, error) {
	all, err := n.smart.Clients.List(ctx)
	if err != nil {
		return nil, err
	}
	out, now := []AppOfStaff{}, n.smart.Clients.Ledger.Now()
	for _, c := range all {
		if c.ShownTo(organisation, now) {
			out = append(out, appOfStaff(c, organisation, now))
		}
	}
	return out, nil
}

// readApproval reads the body of an approval. Every member is required, and any other is an error.
func readApproval(from io.Reader) (clients.OrganisationApproval, error) {
	var in struct {
		Scopes  string `json:"scopes"`
		Purpose string `json:"purpose"`
		Ends    string `json:"ends"` // an instant
	}
	body, err := io.ReadAll(io.LimitReader(from, maxClientBody+1))
	if err != nil {
		return clients.OrganisationApproval{}, unreadable(err)
	}
	if len(body) > maxClientBody {
		return clients.OrganisationApproval{}, fhir.Fault(http.StatusRequestEntityTooLarge, "too-long", "The body is longer than %d bytes.", maxClientBody)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err = dec.Decode(&in); err == nil {
		if _, after := dec.Token(); !errors.Is(after, io.EOF) {
			err = clients.ErrSeveral
		}
	}
	if err == nil && (in.Scopes == "" || in.Purpose == "" || in.Ends == "") {
		err = wrongBody("scopes, purpose and ends are required")
	}
	var ends time.Time
	if err == nil {
		if ends, err = time.Parse(time.RFC3339, in.Ends); err != nil {
			err = wrongBody("ends is not an instant of the form 2027-01-31T00:00:00Z")
		}
	}
	if err != nil {
		return clients.OrganisationApproval{}, unreadable(err)
	}
	return clients.OrganisationApproval{Scopes: in.Scopes, Purpose: in.Purpose, Ends: ends}, nil
}

// approvals returns the clients that organisations have approved, each with the approvals of one organisation, or of all where it is
// empty.
func (n *Node) approvals(ctx context.Context, organisation string) (ClientAnswer, error) {
	all, err := n.smart.Clients.List(ctx)
	if err != nil {
		return ClientAnswer{}, fmt.Errorf("list the approvals of organisations: %w", err)
	}
	var answer ClientAnswer
	for _, c := range all {
		for _, a := range c.ByOrganisations {
			if organisation == "" || a.Organisation == organisation {
				_, inForce := c.ApprovalOf(a.Organisation, n.smart.Clients.Ledger.Now())
				answer.Approvals = append(answer.Approvals, ListedApproval{Client: c.ID, OrganisationApproval: a, InForce: inForce && c.Serves(n.smart.Clients.Ledger.Now())})
			}
		}
	}
	return answer, nil
}

// ListedApproval is an approval of an organisation in a list.
type ListedApproval struct {
	Client string `json:"client"`
	clients.OrganisationApproval
	InForce bool `json:"inForce"`
}
