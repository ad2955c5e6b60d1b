package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"carerecord/consent/audit"
	"carerecord/interop/smart/printed"
)

// IssueToken returns an access token, for a demonstration only.
func IssueToken(ctx context.Context, cfg Config, request printed.Request) (string, error) {
	if server := dial(cfg); server != nil {
		body, err := json.Marshal(request)
		if err != nil {
			return "", err
		}
		token, err := server.send(ctx, http.MethodPost, "/token", body)
		return string(token), err
	}
	n, err := Open(ctx, cfg)
	if err != nil {
		return "", err
	}
	defer n.Close()
	return n.issueToken(ctx, operatorName(), request)
}

// printsTokens returns an error if no token may be printed (SMART-009).
func (c *Config) printsTokens() error {
	switch {
	case c.Auth != AuthDemo:
		return errors.New("tokens are printed for a --demo store only")
	case !c.OnLoopback():
		return fmt.Errorf("tokens are printed for a site on a loopback address only, not for %s", c.PublicURL)
	}
	return nil
}

// answerToken answers POST /token on the socket.
func (n *Node) answerToken(w http.ResponseWriter, q *http.Request) {
	var request printed.Request
	if err := json.NewDecoder(q.Body).Decode(&request); err != nil {
		n.answerRefused(w, q, "token-issue", err)
		return
	}
	token, err := n.issueToken(q.Context(), q.Header.Get(operatorHeader), request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	fmt.Fprint(w, token)
}

// issueToken makes a token. Its record is durable before it is returned; so is that of a refusal.
func (n *Node) issueToken(ctx context.Context, operator string, request printed.Request) (string, error) {
	var token string
	err := n.cfg.printsTokens()
	if err == nil {
		if token, _, err = n.smart.Printed.Issue(ctx, operator, request); err == nil {
			return token, nil
		}
	}
	o := withOutcome(audit.Operation{Name: "token-issue", Who: operator, Client: request.Client}, err)
	return "", errors.Join(err, n.audit(ctx, o))
}
