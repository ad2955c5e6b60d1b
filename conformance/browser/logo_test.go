package browser

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"
)

// drawn is a logo: a white square in a blue one.
func drawn(w *world) []byte {
	w.Helper()
	picture := image.NewNRGBA(image.Rect(0, 0, 200, 200))
	for y := range 200 {
		for x := range 200 {
			picture.SetNRGBA(x, y, color.NRGBA{B: 160, A: 255})
			if max(x, y) < 150 && min(x, y) >= 50 {
				picture.SetNRGBA(x, y, color.NRGBA{R: 255, G: 255, B: 255, A: 255})
			}
		}
	}
	var b bytes.Buffer
	w.must(png.Encode(&b, picture))
	return b.Bytes()
}

// TestLogo: a browser shows the logo of an app under the policy of the pages (SMART-067).
func TestLogo(t *testing.T) {
	w := newWorld(t)
	b := newTab(t, w)
	b.open(w.authorization())
	b.sees("kind", "input[name=kind]")
	loaded := "(async () => { const i = document.querySelector('img.cr-logo'); await i.decode(); return [i.naturalWidth, i.width, i.alt].join() })()"
	if got := strings.TrimSpace(evaluate[string](b, loaded)); got != "96,48," {
		t.Errorf("SMART-067: got an image of %q", got)
	}
	b.blame()
}
