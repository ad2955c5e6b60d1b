package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/interop/smart"
)

// IssueToken returns an access token, for a demonstration only.
func IssueToken(ctx context.Context, cfg Config, request smart.TokenRequest) (string, error) {
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

// answerToken answers POST /token on the socket.
func (n *Node) answerToken(w http.ResponseWriter, q *http.Request) {
	var request smart.TokenRequest
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

// issueToken makes a token and records that before it returns it.
func (n *Node) issueToken(ctx context.Context, operator string, request smart.TokenRequest) (string, error) {
	token, err := "", errors.New("tokens are printed for a --demo store only")
	var p consent.Principal // of the token; the record has its token ID
	if n.cfg.Auth == AuthDemo {
		token, err = n.tokens.Issue(ctx, request)
	}
	if err == nil {
		p, err = n.tokens.Verify(ctx, http.Header{"Authorization": {"Bearer " + token}}, "local")
	}
	o := withOutcome(audit.Operation{Name: "token-issue", Who: operator, Client: request.Client}, err)
	if err == nil {
		o.Of = "token/" + p.Token
	}
	if unrecorded := n.audit(ctx, o); unrecorded != nil {
		return "", errors.Join(err, unrecorded)
	}
	if err != nil {
		return "", err
	}
	return token, nil
}
