package logo

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"runtime"
	"strings"
	"testing"
)

// drawn is an image of two halves, the left red and the right of half transparent blue.
func drawn(w, h int) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			out.SetNRGBA(x, y, color.NRGBA{R: 200, A: 255})
			if x >= w/2 {
				out.SetNRGBA(x, y, color.NRGBA{B: 200, A: 128})
			}
		}
	}
	return out
}

func asPNG(t testing.TB, i image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, i); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(t testing.TB, i image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, i, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asGIF(t testing.TB, frames int) []byte {
	t.Helper()
	g := gif.GIF{}
	for range frames {
		g.Image, g.Delay = append(g.Image, image.NewPaletted(image.Rect(0, 0, 40, 20), color.Palette{color.White, color.Black})), append(g.Delay, 1)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// chunk is a chunk of a PNG.
func chunk(kind, data string) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	out = append(out, kind+data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE([]byte(kind+data)))
}

// withChunk adds a chunk to a PNG, behind its header.
func withChunk(raw []byte, kind, data string) []byte {
	const header = 8 + 12 + 13
	return bytes.Join([][]byte{raw[:header], chunk(kind, data), raw[header:]}, nil)
}

// claims is a PNG that says that it has a size.
func claims(raw []byte, w, h uint32) []byte {
	size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	return bytes.Join([][]byte{raw[:8], chunk("IHDR", string(size)+string(raw[24:29])), raw[33:]}, nil)
}

// TestSMART067: what is accepted becomes a small PNG of the pixels alone: nothing of the bytes of the image survives.
func TestSMART067(t *testing.T) {
	const secret = "a comment that must not survive"
	for name, c := range map[string]struct {
		raw  []byte
		w, h int
	}{
		"a PNG":                {asPNG(t, drawn(400, 200)), 96, 48},
		"a small PNG":          {asPNG(t, drawn(10, 20)), 10, 20},
		"a thin PNG":           {asPNG(t, drawn(2048, 1)), 96, 1},
		"a PNG with a comment": {withChunk(asPNG(t, drawn(100, 100)), "tEXt", "Comment\x00"+secret), 96, 96},
		"a PNG and more":       {append(asPNG(t, drawn(100, 100)), "<script>"+secret...), 96, 96},
		"a JPEG":               {asJPEG(t, drawn(300, 300)), 96, 96},
		"a JPEG and more":      {append(asJPEG(t, drawn(300, 300)), secret...), 96, 96},
		"a GIF":                {asGIF(t, 1), 40, 20},
		"a GIF and more":       {append(asGIF(t, 1), secret...), 40, 20},
	} {
		made, err := Clean(c.raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		read, format, err := image.Decode(bytes.NewReader(made))
		if err != nil || format != "png" || read.Bounds() != image.Rect(0, 0, c.w, c.h) {
			t.Errorf("%s: got %s of %v (%v), want a PNG of %d by %d", name, format, read.Bounds(), err, c.w, c.h)
		}
		if bytes.Contains(made, []byte(secret)) || bytes.Contains(made, []byte("tEXt")) {
			t.Errorf("%s: bytes of the image survive", name)
		}
		if again, err := Clean(made); err != nil || !bytes.Equal(again, made) {
			t.Errorf("%s: a second time: got other bytes (%v)", name, err)
		}
	}
}

// TestScale: a pixel is the mean of those that it covers, and what is not opaque counts less.
func TestScale(t *testing.T) {
	made := fit(drawn(384, 192), Side)
	if l, r := made.NRGBAAt(0, 0), made.NRGBAAt(95, 47); l != (color.NRGBA{R: 200, A: 255}) || r.A != 128 || r.B < 199 || r.R != 0 {
		t.Errorf("got %v and %v", l, r)
	}
	edge := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	edge.SetNRGBA(0, 0, color.NRGBA{R: 255, A: 255})
	edge.SetNRGBA(1, 0, color.NRGBA{G: 255})
	if got := fit(edge, 1).NRGBAAt(0, 0); got != (color.NRGBA{R: 255, A: 127}) {
		t.Errorf("red beside what is transparent: got %v", got)
	}
	if got := fit(edge, 2).NRGBAAt(1, 0); got != (color.NRGBA{}) {
		t.Errorf("the colour of what is transparent survives: %v", got)
	}
}

// TestRefused: everything else is refused with its reason, and what says that it is huge without memory for it (SMART-067).
func TestRefused(t *testing.T) {
	small := asPNG(t, drawn(10, 10))
	scans := append(asJPEG(t, drawn(10, 10)), bytes.Repeat([]byte{0xff, 0xda}, 40)...)
	wide := asGIF(t, 1)
	binary.LittleEndian.PutUint16(wide[6:], 60000)
	for name, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"nothing":                      {nil, "PNG, JPEG or GIF"},
		"SVG":                          {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>`), "PNG, JPEG or GIF; SVG"},
		"HTML":                         {[]byte("<!DOCTYPE html>"), "PNG, JPEG or GIF"},
		"WebP":                         {[]byte("RIFF\x00\x00\x00\x00WEBPVP8 "), "PNG, JPEG or GIF"},
		"SVG that begins as a PNG":     {[]byte("\x89PNG\r\n\x1a\n<svg/>"), "cannot be read"},
		"a long file":                  {append(small, make([]byte, MaxBytes)...), "262144 bytes"},
		"a PNG of 60,000 by 60,000":    {claims(small, 60000, 60000), "60000 by 60000"},
		"a PNG of 2,049 by 1":          {claims(small, 2049, 1), "2049 by 1"},
		"a PNG with less than it says": {claims(small, 2000, 2000), "cannot be read"},
		"a truncated PNG":              {small[:len(small)-20], "cannot be read"},
		"a truncated JPEG":             {asJPEG(t, drawn(100, 100))[:500], "cannot be read"},
		"a truncated GIF":              {asGIF(t, 1)[:30], "cannot be read"},
		"a GIF of 60,000":              {wide, "60000 by"},
		"an animated PNG":              {withChunk(small, "acTL", "\x00\x00\x00\x02\x00\x00\x00\x00"), "animated"},
		"an animated GIF":              {asGIF(t, 2), "animated"},
		"a JPEG of many scans":         {scans, "too many scans"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		made, err := Clean(c.raw)
		runtime.ReadMemStats(&after)
		if err == nil || made != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("SMART-067: %s: got %v, want %q", name, err, c.want)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 40<<20 {
			t.Errorf("SMART-067: %s: the refusal took %d bytes of memory", name, used)
		}
	}
}

// FuzzClean: whatever the bytes are, the answer is a refusal, or a PNG within the bounds that Clean leaves as it is (SMART-067).
func FuzzClean(f *testing.F) {
	small := asPNG(f, drawn(10, 10))
	for _, seed := range [][]byte{small, asJPEG(f, drawn(20, 10)), asGIF(f, 1), asGIF(f, 2), claims(small, 60000, 60000), withChunk(small, "acTL", "12345678"), small[:40], []byte("<svg/>")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		made, err := Clean(raw)
		if err != nil {
			return
		}
		size, err := png.DecodeConfig(bytes.NewReader(made))
		if err != nil || size.Width > Side || size.Height > Side || size.Width < 1 || size.Height < 1 {
			t.Fatalf("SMART-067: got %d by %d (%v)", size.Width, size.Height, err)
		}
		if again, err := Clean(made); err != nil || !bytes.Equal(again, made) {
			t.Errorf("SMART-067: a second time: got other bytes (%v)", err)
		}
	})
}
