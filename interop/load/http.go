package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
)

// HTTP sends bundles to a server with a bearer token. The server keeps no marks. A bundle is sent
// again if the server says that it stored nothing, or if storing it twice has the effect of
// storing it once. Any other bundle without an answer ends the load, since it may be stored.
func HTTP(client *http.Client, base, token string) Sender {
	return func(ctx context.Context, _ string, bundle []byte) (Outcome, error) {
		q, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(base, "/"), bytes.NewReader(bundle))
		if err != nil {
			return Outcome{}, err
		}
		q.Header.Set("Content-Type", "application/fhir+json")
		if token != "" {
			q.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := client.Do(q)
		if err != nil {
			return unknownOutcome(err.Error(), bundle)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return unknownOutcome(err.Error(), bundle)
		}
		return outcomeOf(resp.StatusCode, bundle, body)
	}
}

// unknownOutcome returns the result for a bundle that may or may not be stored.
func unknownOutcome(cause string, bundle []byte) (Outcome, error) {
	if idempotent(bundle) {
		return Outcome{Failed: cause}, nil
	}
	return Outcome{}, fmt.Errorf("%s: the bundle may be stored; check whether its resources exist before you load it again", cause)
}

// idempotent reports whether storing a transaction twice has the effect of storing it once: it
// creates no resource by a plain POST.
func idempotent(bundle []byte) bool {
	all := true
	gjson.GetBytes(bundle, "entry").ForEach(func(_, e gjson.Result) bool {
		all = e.Get("request.method").Str != http.MethodPost || e.Get("request.ifNoneExist").Str != ""
		return all
	})
	return all
}

func outcomeOf(status int, bundle, body []byte) (Outcome, error) {
	switch {
	case status == 200:
		return Outcome{Resources: Size(bundle)}, nil
	case status == 401 || status == 403:
		return Outcome{}, fmt.Errorf("the server refuses: %d %s", status, gjson.GetBytes(body, "issue.0.details.text").Str)
	case status >= 500 || status == 429:
		cause := fmt.Sprintf("%d %s", status, gjson.GetBytes(body, "issue.0.details.text").Str)
		if status != 429 && gjson.GetBytes(body, "issue.0.details.coding.0.code").Str != "NOT_STORED" {
			return unknownOutcome(cause, bundle)
		}
		return Outcome{Failed: cause}, nil
	}
	out := Outcome{}
	gjson.GetBytes(body, "issue").ForEach(func(_, i gjson.Result) bool {
		out.Refused = append(out.Refused, fhir.Issue{Code: i.Get("code").Str, Text: i.Get("details.text").Str, Expression: i.Get("expression.0").Str})
		return true
	})
	if len(out.Refused) == 0 {
		out.Refused = []fhir.Issue{{Code: "processing", Text: fmt.Sprintf("The server answered %d.", status)}}
	}
	return out, nil
}

// Size returns the number of entries of a bundle.
func Size(bundle []byte) int { return int(gjson.GetBytes(bundle, "entry.#").Int()) }
