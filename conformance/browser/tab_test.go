package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"carerecord/conformance/testfiles"
	"carerecord/conformance/wait"
)

// patience is how long a tab waits for a page.
const patience = wait.Patience

func newFolder() (string, error) { return os.MkdirTemp("", "browser-keys-") }

// tab is a tab of a browser of its own. It is used by one goroutine; only the notes are made by another.
type tab struct {
	testing.TB
	w      *world
	ctx    context.Context
	axe    string // its source
	states int

	mu       sync.Mutex
	problems []string
	blocked  []string // addresses of documents that the browser did not show
	sent     map[network.RequestID]string
}

// newTab starts Chromium. It skips the test where Chromium or axe-core cannot be had.
func newTab(t *testing.T, w *world) *tab {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		testfiles.Skip(t, "chromium (as root: apt-get install chromium)")
	}
	file := filepath.Join(testfiles.Root(t), ".cache/axe/node_modules/axe-core/axe.min.js")
	axe, err := os.ReadFile(file)
	if err != nil {
		testfiles.Skip(t, "axe-core (scripts/browser.sh fetches it)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WindowSize(1000, 900))
	all, stopAll := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stopAll)
	ctx, stop := chromedp.NewContext(all)
	t.Cleanup(stop)
	b := &tab{TB: t, w: w, ctx: ctx, axe: string(axe), sent: map[network.RequestID]string{}}
	w.must(chromedp.Listen(ctx, b.note))
	_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	w.must(err)
	_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	w.must(err)
	return b
}

// note takes note of what must not happen on any page: a request to a host that takes no part, a document without a Referrer-Policy,
// a load that a policy blocked, and a script that failed (SMART-166, 167, T04).
func (b *tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bad := func(format string, args ...any) { b.problems = append(b.problems, fmt.Sprintf(format, args...)) }
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.sent[e.RequestID] = e.Request.URL
		if !b.w.knows(e.Request.URL) {
			bad("SMART-167, T04: a request to %s", e.Request.URL)
		}
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument && !strings.HasPrefix(e.Response.URL, b.w.other) && !strings.HasPrefix(e.Response.URL, b.w.end.URL) && header(e.Response.Headers, "Referrer-Policy") == "" {
			bad("SMART-166, T04: %s has no Referrer-Policy", e.Response.URL)
		}
	case *network.EventLoadingFailed:
		if e.Type == network.ResourceTypeDocument && e.ErrorText == "net::ERR_BLOCKED_BY_RESPONSE" {
			b.blocked = append(b.blocked, b.sent[e.RequestID])
		}
	case *log.EventEntryAdded:
		if e.Entry.Source == log.EntrySourceSecurity || strings.Contains(e.Entry.Text, "Content Security Policy") {
			bad("SMART-166: blocked: %s", e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		bad("a script failed: %s", e.ExceptionDetails.Text)
	}
}

func header(h network.Headers, name string) string {
	for k, v := range h {
		if text, ok := v.(string); ok && strings.EqualFold(k, name) {
			return text
		}
	}
	return ""
}

// knows reports whether an address is of a site of the world, or of none.
func (w *world) knows(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return err == nil // data: and about:
	}
	for _, site := range []string{w.site, w.examples, w.other, w.end.URL} {
		if u.Scheme+"://"+u.Host == site {
			return true
		}
	}
	return false
}

// within does an action that waits for a state of a page, and tells what the tab shows if that does not come.
func within[T any](b *tab, what string, action chromedp.Action[T]) T {
	b.Helper()
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	result, err := chromedp.Run(ctx, action)
	if err != nil {
		b.lost(what, err)
	}
	return result
}

// lost ends the test with what the tab shows.
func (b *tab) lost(what string, err error) {
	b.Helper()
	at, failed := chromedp.Run(b.ctx, chromedp.Location())
	text, failed2 := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body ? document.body.innerText : ''"))
	b.blame()
	b.Fatalf("%s: %v; the tab is at %s:\n%s", what, errors.Join(err, failed, failed2), at, text)
}

// open opens an address.
func (b *tab) open(address string) {
	b.Helper()
	within(b, "open "+address, chromedp.Navigate(address))
}

// sees waits until an element is visible, and then checks the page.
func (b *tab) sees(name string, selector chromedp.CSS) {
	b.Helper()
	within(b, "wait for "+string(selector), chromedp.WaitVisible(selector))
	b.check(name)
}

// click clicks on an element.
func (b *tab) click(selector chromedp.CSS) {
	b.Helper()
	within(b, "click on "+string(selector), chromedp.Click(selector, chromedp.NodeVisible))
}

// text returns the visible text of an element.
func (b *tab) text(selector chromedp.CSS) string {
	b.Helper()
	return within(b, "read "+string(selector), chromedp.Text(selector))
}

// set sets the value of a field.
func (b *tab) set(selector chromedp.CSS, value string) {
	b.Helper()
	within(b, "set "+string(selector), chromedp.SetValue(selector, value))
}

// reads waits until an element has a text.
func (b *tab) reads(selector, text string) {
	b.Helper()
	quoted, err := json.Marshal([]string{selector, text})
	b.w.must(err)
	expression := "(([s, t]) => document.querySelector(s)?.innerText.includes(t) ?? false)(" + string(quoted) + ")"
	if !wait.For(patience, func() bool {
		found, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression)) // fails between two pages
		return err == nil && found
	}) {
		b.lost("wait for "+text, nil)
	}
}

// evaluate returns the value of an expression in the page, a promise's too.
func evaluate[T any](b *tab, expression string) T {
	b.Helper()
	return within(b, "evaluate", chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// count returns the number of elements.
func (b *tab) count(selector string) int {
	b.Helper()
	return evaluate[int](b, "document.querySelectorAll('"+selector+"').length")
}

// address returns the address of the tab.
func (b *tab) address() string {
	b.Helper()
	return within(b, "read the address", chromedp.Location())
}

// check takes a picture and has axe-core look at the page (SMART-151), and fails for what was noted until now.
func (b *tab) check(name string) {
	b.Helper()
	b.states++
	if folder := os.Getenv("CARERECORD_SCREENSHOTS"); folder != "" {
		picture := within(b, "take a picture", chromedp.FullScreenshot(100))
		b.w.must(os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%02d-%s.png", b.Name(), b.states, name)), reduced(b, picture), 0o600))
	}
	evaluate[chromedp.Void](b, b.axe)
	faults := evaluate[[]string](b, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]})
		.then((r) => r.violations.map((v) => v.id + ": " + v.help + ": " + v.nodes.map((n) => n.html.slice(0, 150)).join(" ")))`)
	for _, fault := range faults {
		b.Errorf("SMART-151: %s: axe-core: %s", name, fault)
	}
	for _, address := range evaluate[[]string](b, "[...document.querySelectorAll('[href], [src], [action]')].map((e) => e.href ?? e.src ?? e.action)") {
		if strings.HasPrefix(b.address(), b.w.site) && (strings.Contains(address, "cr_ac_") || strings.Contains(address, "cr_at_") || strings.Contains(address, "cr_rt_")) {
			b.Errorf("SMART-T04: %s: the page leads to %s", name, address)
		}
	}
	// At 400 % a window of 1280 pixels is 320 wide: nothing may need to be scrolled sideways.
	within(b, "zoom", chromedp.EmulateViewport(320, 640))
	if width := evaluate[int](b, "document.documentElement.scrollWidth"); width > 320 {
		b.Errorf("SMART-151: %s: at 400 %% the page is %d pixels wide, want 320", name, width)
	}
	within(b, "zoom", chromedp.EmulateViewport(1000, 900))
	b.blame()
}

// blame fails for what was noted.
func (b *tab) blame() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range b.problems {
		b.Error(problem)
	}
	b.problems = nil
	for from, path := range b.w.told.Range {
		b.Errorf("SMART-T04: the request for %v of another site names %v", path, from)
	}
}
