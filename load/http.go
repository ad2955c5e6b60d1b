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

// HTTP sends bundles to a server with a bearer token. Marks are not kept there:
// a bundle whose answer was lost is sent again.
func HTTP(client *http.Client, base, token string) Send {
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
			return Outcome{Failed: err.Error()}, nil
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return Outcome{Failed: err.Error()}, nil
		}
		return outcome(resp.StatusCode, bundle, body)
	}
}

func outcome(status int, bundle, body []byte) (Outcome, error) {
	switch {
	case status == 200:
		return Outcome{Resources: Size(bundle)}, nil
	case status == 401 || status == 403:
		return Outcome{}, fmt.Errorf("the server refuses: %d %s", status, gjson.GetBytes(body, "issue.0.details.text").Str)
	case status >= 500 || status == 429:
		return Outcome{Failed: fmt.Sprintf("%d %s", status, gjson.GetBytes(body, "issue.0.details.text").Str)}, nil
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

// Size is how many entries a bundle has.
func Size(bundle []byte) int { return int(gjson.GetBytes(bundle, "entry.#").Int()) }
