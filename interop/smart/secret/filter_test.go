package secret_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"carerecord/interop/smart/secret"
)

// TestFilter: the filter of the log removes every kind of secret wherever it stands in a line, and leaves the rest (SMART-495).
func TestFilter(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(secret.Filter(slog.NewTextHandler(&out, nil)))
	jwt := "eyJhbGciOiJSUzM4NCJ9.eyJpc3MiOiJhcHAifQ.c2lnbmF0dXJl"
	values := []string{jwt, "opaque-secret-value", "dXNlcjpwYXNzd29yZA=="}
	for _, kind := range []secret.Kind{secret.AccessToken, secret.RefreshToken, secret.Code, secret.ClientSecret, secret.Session, secret.State} {
		values = append(values, secret.New(kind))
	}
	for _, v := range values[3:] {
		log.Info("value "+v, "path", "/x/"+v, "err", fmt.Errorf("refused %s: %w", v, errors.New(v)))
		log.With("request", v).WithGroup("g").Info("x", slog.Group("inner", "a", v))
	}
	log.Info("assertion "+jwt, "reason", errors.New("bad "+jwt))
	for _, name := range []string{"Authorization", "cookie", "Set-Cookie", "state", "code", "token", "client_assertion", "clientSecret", "query", "code_verifier"} {
		log.Info("x", name, "opaque-secret-value")
	}
	log.Info("GET /oauth/authorize?code=opaque-secret-value&state=opaque-secret-value&client_assertion=opaque-secret-value")
	log.Info("header Authorization: Basic dXNlcjpwYXNzd29yZA== and Bearer opaque-secret-value")
	for _, v := range values {
		if strings.Contains(out.String(), v) {
			t.Errorf("SMART-495: the log has %q: %s", v, out.String())
		}
	}
	out.Reset()
	log.Warn("an OAuth request was refused", "path", "/oauth/token", "code", "invalid_client", "status", 401, "took", 5, "client", "app-abc")
	for _, kept := range []string{"path=/oauth/token", "code=invalid_client", "status=401", "client=app-abc", "level=WARN", `msg="an OAuth request was refused"`} {
		if !strings.Contains(out.String(), kept) {
			t.Errorf("the filter has removed %s from %s", kept, out.String())
		}
	}
}
