package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"carerecord/consent/audit"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
)

// ClientRequest is one request to the registry of clients.
type ClientRequest struct {
	Verb   string          // of the command "carerecord client"
	ID     string          // of the client; empty for add, import and list
	Client *clients.Client // for add and change
	Import []clients.Client
	Digest string          // that an approval names
	Keys   json.RawMessage `json:",omitempty"` // a JWK set, for set-keys
	URL    string          // of a JWK set, for set-keys
	Of     grants.Of       // for end-grants; the organisation also for approvals and withdraw
	Grant  string          `json:",omitempty"` // for end-grants: this one alone
}

// ClientAnswer is the answer to a ClientRequest.
type ClientAnswer struct {
	Clients []*clients.Client `json:"clients,omitempty"`
	Digest  string            `json:"digest,omitempty"` // of what waits for an approval
	Secret  string            `json:"secret,omitempty"` // shown this once
	// Notices are what an operator should know of these clients, by id.
	Notices   map[string][]string `json:"notices,omitempty"`
	Approvals []ListedApproval    `json:"approvals,omitempty"` // of organisations
	// LeftOut are the ids of clients that an import left out: there are clients of these ids, or they are no ids of a registry.
	LeftOut []string `json:"leftOut,omitempty"`
}

// Clients sends a request to the registry of a store, through the server that holds it if there is one.
func Clients(ctx context.Context, cfg Config, request ClientRequest) (ClientAnswer, error) {
	var answer ClientAnswer
	if server := dial(cfg); server != nil {
		body, err := json.Marshal(request)
		if err != nil {
			return answer, err
		}
		text, err := server.send(ctx, http.MethodPost, "/client", body)
		if err != nil {
			return answer, err
		}
		return answer, json.Unmarshal(text, &answer)
	}
	n, err := Open(ctx, cfg)
	if err != nil {
		return answer, err
	}
	defer n.Close()
	answer, err = n.registry(ctx, operatorName(), request)
	o := withOutcome(audit.Operation{Name: "client", Who: operatorName(), Of: request.of()}, err)
	return answer, errors.Join(err, n.audit(ctx, o))
}

// of is the object of the request for the audit trail.
func (r ClientRequest) of() string {
	if r.ID == "" {
		return r.Verb
	}
	return r.Verb + "/" + r.ID
}

// answerClient answers POST /client on the socket.
func (n *Node) answerClient(w http.ResponseWriter, q *http.Request) {
	var request ClientRequest
	if err := json.NewDecoder(q.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if out, ok := w.(*unsentResponse); ok {
		out.of = request.of()
	}
	answer, err := n.registry(q.Context(), q.Header.Get(operatorHeader), request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// registry carries a request out, and adds the notices of the clients in the answer.
func (n *Node) registry(ctx context.Context, who string, request ClientRequest) (ClientAnswer, error) {
	answer, err := n.registryVerb(ctx, who, request)
	for i, c := range answer.Clients {
		if answer.Clients[i] = shown(c); request.Verb == "export" {
			answer.Clients[i].Secrets = nil
		}
		if request.Verb != "export" && request.Verb != "show" {
			withoutLogos(answer.Clients[i])
		}
	}
	if err != nil || len(answer.Clients) == 0 || request.Verb == "export" {
		return answer, err
	}
	notices, err := n.smart.Clients.Notices(ctx)
	if err != nil {
		return answer, nil // what was done is done: the answer goes without notices
	}
	answer.Notices = map[string][]string{}
	for _, c := range answer.Clients {
		if list := notices[c.ID]; list != nil {
			answer.Notices[c.ID] = list
		}
	}
	return answer, nil
}

// shown returns a copy of a client, which the registry keeps, with the dates of its secrets alone, and with the digest of what is proposed.
func shown(c *clients.Client) *clients.Client {
	out := *c
	if c.Proposed != nil {
		out.Proposed = c.Proposed.Shown()
	}
	out.Secrets = slices.Clone(c.Secrets)
	for i := range out.Secrets {
		out.Secrets[i].Digest = ""
	}
	return &out
}

// withoutLogos removes the logos from a copy of a client. Their digests stay.
func withoutLogos(c *clients.Client) {
	if c.Logo = nil; c.Proposed != nil {
		proposed := *c.Proposed
		proposed.With.Logo = nil
		c.Proposed = &proposed
	}
}

func (n *Node) registryVerb(ctx context.Context, who string, request ClientRequest) (ClientAnswer, error) {
	if n.smart == nil {
		return ClientAnswer{}, errors.New("a store that is served with --auth off has no clients")
	}
	r := n.smart.Clients
	var c *clients.Client
	var err error
	if changes := request.Verb == "add" || request.Verb == "change"; changes && request.Client == nil {
		return ClientAnswer{}, fmt.Errorf("%s needs a client", request.Verb)
	}
	switch request.Verb {
	case "list", "export":
		all, err := r.List(ctx)
		return ClientAnswer{Clients: all}, err
	case "show":
		c, err = r.Get(ctx, request.ID)
	case "add":
		c, err = r.Add(ctx, who, *request.Client)
	case "change":
		c, err = r.Change(ctx, who, request.ID, *request.Client)
	case "approve":
		c, err = r.Approve(ctx, who, request.ID, request.Digest)
	case "suspend":
		c, err = r.Suspend(ctx, who, request.ID)
	case "resume":
		c, err = r.Resume(ctx, who, request.ID)
	case "revoke-tokens":
		c, err = r.RevokeTokens(ctx, who, request.ID)
	case "set-keys":
		c, err = r.SetKeys(ctx, who, request.ID, request.Keys, request.URL)
	case "rotate-secret":
		secret, err := r.RotateSecret(ctx, who, request.ID)
		return ClientAnswer{Secret: secret}, err
	case "approvals":
		return n.approvals(ctx, request.Of.Organisation)
	case "withdraw":
		c, err = r.Withdraw(ctx, who, request.ID, request.Of.Organisation)
	case "end-grants":
		return ClientAnswer{}, n.endGrants(ctx, who, request)
	case "import":
		return n.importClients(ctx, who, request.Import)
	default:
		return ClientAnswer{}, fmt.Errorf("%q is no verb of the registry", request.Verb)
	}
	if err != nil {
		return ClientAnswer{}, err
	}
	answer := ClientAnswer{Clients: []*clients.Client{c}}
	if c.Proposed != nil {
		answer.Digest = c.Digest()
	}
	return answer, nil
}

// errNoGrant: end-grants names a grant that is not in force.
var errNoGrant = errors.New("there is no such grant, or it has ended")

func (n *Node) endGrants(ctx context.Context, who string, request ClientRequest) error {
	if request.Grant == "" {
		return n.smart.Grants.EndAll(ctx, who, request.Of)
	}
	err := n.smart.Grants.EndOne(ctx, who, request.Grant)
	if errors.Is(err, grants.ErrInactive) {
		return errNoGrant
	}
	return err
}

// importClients proposes clients that a registry exported, under their ids. Those that are registered are left out, so an import may be
// repeated, and so are those of a policy folder or a demonstration, which are registered when the record is opened. The file is checked before
// anything is proposed.
func (n *Node) importClients(ctx context.Context, who string, list []clients.Client) (ClientAnswer, error) {
	var answer ClientAnswer
	var missing []clients.Client
	for i, one := range list {
		_, err := n.smart.Clients.Get(ctx, one.ID)
		switch {
		case err == nil, !clients.OfRegistry(one.ID):
			answer.LeftOut = append(answer.LeftOut, one.ID)
			continue
		case !errors.Is(err, clients.ErrUnknown):
			return ClientAnswer{}, err
		}
		if err := n.smart.Clients.Restorable(one); err != nil {
			return ClientAnswer{}, fmt.Errorf("client %d of the file (%.40q), nothing was registered: %w", i+1, one.ID, err)
		}
		missing = append(missing, one)
	}
	for i, one := range missing {
		c, err := n.smart.Clients.Restore(ctx, who, one)
		if err != nil {
			return answer, fmt.Errorf("client %q, after %d that were registered (repeat the import for the rest): %w", one.ID, i, err)
		}
		answer.Clients = append(answer.Clients, c)
	}
	return answer, nil
}
