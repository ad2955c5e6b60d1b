package load_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"carerecord/fhir"
	"carerecord/interop/load"
)

const bundle = `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Basic","id":"a"}}]}`

// TestNDJSON: bundles of a stream are sent as they are, single resources are collected, and a
// refusal has the number of its bundle.
func TestNDJSON(t *testing.T) {
	var sent []string
	send := func(_ context.Context, mark string, body []byte) (load.Outcome, error) {
		sent = append(sent, string(body))
		if len(sent) == 2 {
			return load.Outcome{Refused: []fhir.Issue{{Code: "value"}}}, nil
		}
		return load.Outcome{Resources: load.Size(body)}, nil
	}
	in := bundle + "\n\n" + strings.Replace(bundle, `"a"`, `"b"`, 1) + "\n" + `{"resourceType":"Basic","id":"c"}` + "\n" + `{"resourceType":"Basic","id":"d"}`
	report, err := load.NDJSON(t.Context(), strings.NewReader(in), send, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if len(sent) != 3 || sent[0] != bundle || load.Size([]byte(sent[2])) != 2 {
		t.Errorf("got %q, want two bundles and a third of the collected resources", sent)
	}
	if report.Bundles != 3 || report.Resources != 3 || len(report.Refused) != 1 || report.Refused[0].Bundle != 2 || report.Took <= 0 {
		t.Errorf("got %+v, want 3 bundles, the second refused", report)
	}
}

// TestBundles: every bundle goes to the Sender of its source, with a mark that is the same in the
// next run and differs between names.
func TestBundles(t *testing.T) {
	items := []load.SourceBundle{{"XGP01", "one", []byte(bundle)}, {"XAC01", "one", []byte(bundle)}, {"XGP01", "two", []byte(bundle)}}
	run := func() (sources, marks []string) {
		to := func(source string) load.Sender {
			return func(_ context.Context, mark string, body []byte) (load.Outcome, error) {
				sources, marks = append(sources, source), append(marks, mark)
				return load.Outcome{Resources: load.Size(body)}, nil
			}
		}
		report, err := load.Bundles(t.Context(), slices.Values(items), to, func(int) {})
		if err != nil || report.Resources != 3 {
			t.Fatalf("got %+v, %v", report, err)
		}
		return sources, marks
	}
	sources, marks := run()
	if want := []string{"XGP01", "XAC01", "XGP01"}; !slices.Equal(sources, want) {
		t.Errorf("got the sources %v, want %v", sources, want)
	}
	if _, again := run(); !slices.Equal(marks, again) || len(slices.Compact(slices.Sorted(slices.Values(marks)))) != 3 {
		t.Errorf("got the marks %v, then %v: want three, the same again", marks, again)
	}
}

// TestReportSaysWhatIsRepeated: a server keeps no marks, so a second run sends all bundles again.
func TestReportSaysWhatIsRepeated(t *testing.T) {
	for noMarks, want := range map[bool]bool{true: true, false: false} {
		var out strings.Builder
		(&load.Report{}).Print(&out, noMarks)
		if got := strings.Contains(out.String(), "keeps no marks, so running the load again sends every bundle again"); got != want || strings.Contains(out.String(), "at most that one") {
			t.Errorf("without marks %v: got the report %q", noMarks, out.String())
		}
	}
}
