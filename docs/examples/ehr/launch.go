package ehr

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Launch is the body of a request to the launch API of the record.
type Launch struct {
	ClientID          string `json:"client_id"`
	User              string `json:"user"` // who must sign in at the record
	Patient           string `json:"patient"`
	Encounter         string `json:"encounter,omitempty"`
	NeedPatientBanner bool   `json:"need_patient_banner"`
}

// Exchange is a request and its answer, as the page shows them.
type Exchange struct{ Title, Request, Answer string }

// launch announces a launch. It returns what was sent and received, and the link that opens the app; "" if that failed. The
// record is asked for a token each time, which is short-lived; an EHR with many launches would keep it until it ends.
func (e *EHR) launch(ctx context.Context, l Launch) (sent []Exchange, link string) {
	discovered, err := e.discover(ctx)
	if err != nil {
		return []Exchange{{"Configuration of the record", "GET " + e.cfg.Record + "/.well-known/smart-configuration", err.Error()}}, ""
	}
	claims := map[string]any{"iss": e.cfg.ClientID, "sub": e.cfg.ClientID, "aud": discovered.TokenEndpoint, "jti": rand.Text(), "exp": time.Now().Add(4 * time.Minute).Unix()}
	assertion, err := sign(e.cfg.Key, e.cfg.KeyID, claims)
	if err != nil {
		return []Exchange{{"Signature", pretty(claims), err.Error()}}, ""
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"__launch"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	answer, err := post(ctx, discovered.TokenEndpoint, "application/x-www-form-urlencoded", "", form.Encode(), &token)
	form.Set("client_assertion", "<signed: the claims below>")
	sent = append(sent, Exchange{"1. A token for the EHR, with its own key", "POST " + discovered.TokenEndpoint + "\n\n" + lines(form) + "\n\nClaims of the assertion:\n" + pretty(claims),
		hide(said(answer, err), token.AccessToken)})
	if token.AccessToken == "" {
		return sent, ""
	}
	body := pretty(l)
	var announced struct {
		URL string `json:"url"`
	}
	answer, err = post(ctx, discovered.LaunchEndpoint, "application/json", token.AccessToken, body, &announced)
	sent = append(sent, Exchange{"2. The launch", "POST " + discovered.LaunchEndpoint + "\nAuthorization: Bearer <the token>\n\n" + body, said(answer, err)})
	return sent, announced.URL
}

// endpoints are those of the record that the EHR uses. SMART names no launch API: that of carerecord is beside the token endpoint.
type endpoints struct {
	TokenEndpoint  string `json:"token_endpoint"`
	LaunchEndpoint string `json:"-"`
}

func (e *EHR) discover(ctx context.Context) (out endpoints, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.cfg.Record+"/.well-known/smart-configuration", nil)
	if err != nil {
		return out, err
	}
	if _, err := send(r, &out); err != nil {
		return out, err
	}
	out.LaunchEndpoint = strings.TrimSuffix(out.TokenEndpoint, "/token") + "/launch"
	return out, nil
}

// sign returns a JWT of claims, signed ES384.
func sign(key *ecdsa.PrivateKey, id string, claims any) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "ES384", "kid": id, "typ": "JWT"})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	sum := sha512.Sum384([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 96) // r and s, 48 bytes each (RFC 7518 section 3.4)
	r.FillBytes(signature[:48])
	s.FillBytes(signature[48:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func post(ctx context.Context, address, contentType, token, body string, into any) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", contentType)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return send(r, into)
}

// send sends a request, decodes the JSON of its answer, and returns the answer as text.
func send(r *http.Request, into any) (string, error) {
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return "", fmt.Errorf("%s, and no JSON: %w", answer.Status, err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, body, "", "  "); err != nil {
		return "", err
	}
	return answer.Status + "\n\n" + strings.TrimSpace(indented.String()), nil
}

// said is the text of an answer, or why there is none.
func said(answer string, err error) string {
	if err != nil {
		return err.Error()
	}
	return answer
}

// hide takes a secret out of a text that the page shows.
func hide(text, secret string) string {
	if secret == "" {
		return text
	}
	return strings.ReplaceAll(text, secret, "<the token>")
}

func lines(form url.Values) string {
	var out []string
	for _, name := range []string{"grant_type", "scope", "client_assertion_type", "client_assertion"} {
		out = append(out, name+"="+form.Get(name))
	}
	return strings.Join(out, "\n")
}

func pretty(v any) string {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
