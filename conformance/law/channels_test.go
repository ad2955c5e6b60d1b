package law_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// channel is a kind of request that could reveal hidden data (CON-1504). The pattern matches channelText of its
// questions.
type channel struct {
	name    string
	pattern *regexp.Regexp // nil if the answer or the addressed document decides
}

// Channels that do not depend on the request alone.
const (
	deletedChannel = "03 deleted"
	costlyChannel  = "28 too costly"
	faultsChannel  = "25 errors and warnings"
	forgedChannel  = "06 forged and foreign pages"
)

// searches begins the pattern of a search with a parameter.
const searches = `^(GET|HEAD|POST) [^?]*\?(.*&)?`

func newChannel(name, pattern string) channel { return channel{name, regexp.MustCompile(pattern)} }

// readings are the channels of requests that do not write. A request may belong to several.
var readings = []channel{
	newChannel("01 read", `^(GET|HEAD) /[A-Z]\w+/[a-z0-9][\w.-]*\?`),
	newChannel("01 version read", `^(GET|HEAD) /\w+/[^/?]+/_history/\d+`),
	newChannel("01 compartment", `^(GET|HEAD|POST) /(Patient|Encounter|Practitioner)/[^/?]+/(\*|[A-Z]\w+)[/?]`),
	newChannel("01 several types", `^(GET|HEAD) \?|^POST /_search`),
	newChannel("02 conditional read", ` If-(None-Match|Modified-Since):`),
	{name: deletedChannel},
	newChannel("04 rows", `^(GET|HEAD) /[A-Z]\w+\?`),
	newChannel("04 form", `^POST .*/_search\?`),
	newChannel("05 totals", searches+`(_total=|_summary=count|_count=0)`),
	newChannel("06 pages", `_page=`),
	{name: forgedChannel},
	newChannel("07 sort", searches+`_sort=`),
	newChannel("08 include", searches+`_include(:iterate)?=[A-Z]`),
	newChannel("08 revinclude", searches+`_revinclude`),
	newChannel("08 iterate", searches+`_(rev)?include:iterate=`),
	newChannel("08 wildcard", searches+`_(rev)?include=(\w+:)?\*`),
	newChannel("09 chain", searches+`[a-z-]+(:[A-Z]\w+)?\.`),
	newChannel("10 _has", searches+`_has:`),
	newChannel("11 composite", searches+`[a-z-]*code-value-quantity`),
	newChannel("11 _filter", searches+`_filter=`),
	newChannel("11 _text and _content", searches+`_(text|content)=`),
	newChannel("11 _list", searches+`_list=`),
	newChannel("11 :identifier", searches+`[a-z]+:identifier=`),
	newChannel("11 :in and :not-in", searches+`[^=]*:(not-)?in=`),
	newChannel("11 :not", searches+`[^=]*:not=`),
	newChannel("11 :missing", searches+`[^=]*:missing=`),
	newChannel("11 :text", searches+`[^=]*:text=`),
	newChannel("12 _lastUpdated", searches+`_lastUpdated=`),
	newChannel("12 _since and _at", searches+`_(since|at)=`),
	newChannel("12 _elements and _summary", searches+`(_elements=|_summary=(true|data|text))`),
	newChannel("12 _tag", searches+`[^=]*_tag(:not)?=`),
	newChannel("12 _security", searches+`_security[:=]`),
	newChannel("12 _profile", searches+`_profile[:=]`),
	newChannel("12 _source", searches+`_source[:=]`),
	newChannel("13 contained", searches+`(_filter=.*)?(performer|asserter)(:Patient|%3APatient)\.`),
	newChannel("14 history of one", `/[A-Z]\w+/[^/?]+/_history\?`),
	newChannel("14 history of a type", `/[A-Z]\w+/_history\?`),
	newChannel("14 history of all", ` /_history\?`),
	newChannel("18 batch", `"type":"batch"`),
	newChannel("19 $everything", `/\$everything`),
	newChannel("19 $lastn", `/\$lastn`),
	newChannel("19 $sources and $ihe-pix", `/\$(sources|ihe-pix)`),
	newChannel("19 $meta", `^(GET|HEAD) .*/\$meta\?`),
	newChannel("19 $validate", `/\$validate`),
	newChannel("22 Binary", `^(GET|HEAD) /Binary`),
	newChannel("23 Provenance, List, Group, CareTeam", `^(GET|HEAD|POST) /(Provenance|List|Group|CareTeam)\b`),
	{name: faultsChannel},
	{name: costlyChannel},
}

// writings are the channels of requests that write.
var writings = []channel{
	newChannel("15 conditional create", ` If-None-Exist:`),
	newChannel("15 conditional update", `^PUT /\w+\?.+ `),
	newChannel("15 conditional delete", `^DELETE /\w+\?.`),
	newChannel("15 conditional patch", `^PATCH /\w+\?.+ `),
	newChannel("16 update", `^PUT /\w+/`),
	newChannel("16 delete", `^DELETE /\w+/`),
	newChannel("16 patch", `^PATCH /\w+/`),
	newChannel("16 meta", `/\$meta-(add|delete)\?`),
	newChannel("17 create", `^POST /\w+\? `),
	newChannel("18 bundle", `^POST \? .*"type":"(batch|transaction)"`),
	newChannel("18 conditional reference", `^POST \? .*"reference":"Patient\?`),
}

// channelText returns the text of a question that the patterns of channels match: the method, the path, a ?,
// the query of the address or form, the body and the headers.
func (q question) channelText() string {
	path, query, _ := strings.Cut(q.path, "?")
	body := q.body
	if strings.HasSuffix(path, "/_search") {
		query, body = strings.Trim(query+"&"+body, "&"), ""
	}
	out := q.method + " " + path + "?" + query + " " + body
	for i := 0; i+1 < len(q.header); i += 2 {
		out += " " + q.header[i] + ":" + q.header[i+1]
	}
	return out
}

// channelsOf returns the names of the channels to which a question belongs.
func channelsOf(q question, of []channel) []string {
	text := q.channelText()
	var out []string
	for _, ch := range of {
		if ch.pattern != nil && ch.pattern.MatchString(text) {
			out = append(out, ch.name)
		}
	}
	return out
}

// tally counts the cases of a run (CON-1504, CON-1511).
type tally struct {
	cases, differing, withRow, differingWithRow int
	channels                                    map[string]int
	links                                       map[string]int // by relation
}

// addCase counts a case. differs reports whether the unguarded answer over all data differs from r, the
// guarded answer, and hasRow whether r has a row. more are channels in addition to those of the question.
func (c *tally) addCase(q question, r *httptest.ResponseRecorder, differs, hasRow bool, more ...string) {
	c.cases++
	if differs {
		c.differing++
	}
	if hasRow {
		c.withRow++
	}
	if differs && hasRow {
		c.differingWithRow++
	}
	c.countChannels(append(more, channelsOf(q, readings)...)...)
	if body := r.Body.String(); strings.Contains(body, `"resourceType":"OperationOutcome"`) && !strings.HasSuffix(body, withheldEntry+"]}") {
		c.countChannels(faultsChannel)
		if r.Code == http.StatusBadRequest && strings.Contains(body, `"code":"too-costly"`) {
			c.countChannels(costlyChannel)
		}
	}
	for _, m := range linkRelations.FindAllStringSubmatch(r.Body.String(), -1) {
		if c.links == nil {
			c.links = map[string]int{}
		}
		c.links[m[1]]++
	}
}

// countChannels counts one case of each channel.
func (c *tally) countChannels(names ...string) {
	if c.channels == nil {
		c.channels = map[string]int{}
	}
	for _, name := range names {
		c.channels[name]++
	}
}

// minCases is the number of cases of each channel that CON-1504 requires of a full run, which has readingCases
// or traceCases cases. A shorter run must have its share, less three times the square root of the share.
const (
	minCases     = 300
	readingCases = 30_000
	traceCases   = 12_000 // requests in traces
)

// isPartialRun reports whether the environment selects one world or the number of cases. The counts of such a
// run are not checked.
func isPartialRun() bool {
	return os.Getenv("CARERECORD_LAW_SEED") != "" || os.Getenv("CARERECORD_LAW_CASES") != ""
}

// checkMinima logs the number of cases of each channel, and fails if a channel has too few. of is the number
// of cases of a full run.
func (c *tally) checkMinima(t *testing.T, of int, channels []channel) {
	t.Helper()
	floor := minCases * c.cases / of
	switch {
	case c.cases < of && floor < 6:
		floor = 0 // by chance a run of so few cases may have none
	case c.cases < of:
		floor = max(1, floor-3*int(math.Sqrt(float64(floor))))
	}
	var counts []string
	for _, ch := range channels {
		counts = append(counts, fmt.Sprintf("%s %d", ch.name, c.channels[ch.name]))
		if n := c.channels[ch.name]; n < floor && !isPartialRun() {
			t.Errorf("CON-1504: the channel %s has %d cases of %d, want at least %d", ch.name, n, c.cases, floor)
		}
	}
	t.Logf("%d cases by channel (CON-1504: at least %d each): %s", c.cases, floor, strings.Join(counts, ", "))
}

// logAndCheck logs the shares of cases, and fails if too few cases could have found a leak (CON-1511).
func (c *tally) logAndCheck(t *testing.T, on string, began time.Time) {
	t.Helper()
	c.logAndCheckShare(t, on, began, 30)
}

// logAndCheckShare is logAndCheck for a share in percent of cases that could have found a leak.
func (c *tally) logAndCheckShare(t *testing.T, on string, began time.Time, want int) {
	t.Helper()
	share := 100 * c.differingWithRow / max(c.cases, 1)
	t.Logf("%d cases on %s in %.0f s; the unguarded answer differs in %d %%, the guarded one has a row in %d %%, both in %d %%", c.cases, on, time.Since(began).Seconds(),
		100*c.differing/max(c.cases, 1), 100*c.withRow/max(c.cases, 1), share)
	if c.cases < 240 { // of one to four worlds, whose shares differ by far more than chance among cases; the larger runs check it
		return
	}
	if c.cases < 2000 { // with a margin for chance, since a thousand cases are from only 18 worlds
		want -= int(300 * math.Sqrt(0.3*0.7/float64(max(c.cases, 1))))
	}
	if share < want && !isPartialRun() {
		t.Errorf("CON-1511: %d %% of the cases differ and have a row, want at least %d %%", share, want)
	}
}

// logTraces logs the counts of traces, and fails if fewer than a tenth of the requests wrote.
func (c *tally) logTraces(t *testing.T, on string, began time.Time) {
	t.Helper()
	t.Logf("%d requests in traces on %s in %.0f s; %d writes changed something", c.cases, on, time.Since(began).Seconds(), c.withRow)
	if c.withRow < c.cases/10 && c.cases >= 200 && !isPartialRun() { // fewer say nothing
		t.Errorf("%d of %d requests changed something, want a tenth", c.withRow, c.cases)
	}
}
