package fhir

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Outcome writes an OperationOutcome. The diagnostics of an issue repeat its details.text,
// because many clients show only the diagnostics.
func Outcome(issues []Issue) []byte {
	out := []byte(`{"resourceType":"OperationOutcome","issue":[`)
	for i, issue := range issues {
		if i > 0 {
			out = append(out, ',')
		}
		severity := issue.Severity
		if severity == "" {
			severity = "error"
		}
		out = fmt.Appendf(out, `{"severity":"%s","code":"%s","details":{`, severity, issue.Code)
		if issue.Detail.Code != "" {
			out = fmt.Appendf(out, `"coding":[{"system":%s,"code":%s}],`, Quoted(issue.Detail.System), Quoted(issue.Detail.Code))
		}
		text := Quoted(issue.Text)
		out = fmt.Appendf(out, `"text":%s},"diagnostics":%s`, text, text)
		if issue.Expression != "" {
			out = fmt.Appendf(out, `,"expression":[%s]`, Quoted(issue.Expression))
		}
		out = append(out, '}')
	}
	return append(out, "]}"...)
}

// Quoted returns a string as JSON.
func Quoted(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == '"' || r == '\\' || r > 0x7e }) < 0 {
		return `"` + s + `"`
	}
	q, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("fhir: a string that JSON cannot hold: %v", err))
	}
	return string(q)
}
