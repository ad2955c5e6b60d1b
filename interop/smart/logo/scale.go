package logo

import (
	"image"
	"image/color"
)

// fit returns an image that is at most side pixels wide and high, in the same proportions. Each of its pixels is the mean of those that
// it covers. A smaller image keeps its size.
func fit(from image.Image, side int) *image.NRGBA {
	b := from.Bounds()
	w, h := b.Dx(), b.Dy()
	if most := max(w, h); most > side {
		w, h = max(1, w*side/most), max(1, h*side/most)
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			out.SetNRGBA(x, y, mean(from, image.Rect(x*b.Dx()/w, y*b.Dy()/h, (x+1)*b.Dx()/w, (y+1)*b.Dy()/h).Add(b.Min)))
		}
	}
	return out
}

// mean returns the mean colour of a part of an image. Pixels count by how opaque they are, and one that is not opaque at all is black.
func mean(from image.Image, part image.Rectangle) color.NRGBA {
	if part.Dx() == 1 && part.Dy() == 1 {
		if c, ok := from.At(part.Min.X, part.Min.Y).(color.NRGBA); ok && c.A > 0 {
			return c // exactly, as a mean may round
		}
	}
	var r, g, b, a, n uint64
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			cr, cg, cb, ca := from.At(x, y).RGBA()
			r, g, b, a, n = r+uint64(cr), g+uint64(cg), b+uint64(cb), a+uint64(ca), n+1
		}
	}
	if a == 0 {
		return color.NRGBA{}
	}
	shade := func(sum uint64) uint8 { return uint8(min(sum*0xff/a, 0xff)) }
	c := color.NRGBA{R: shade(r), G: shade(g), B: shade(b), A: uint8(a / n >> 8)}
	if c.A == 0 {
		return color.NRGBA{}
	}
	return c
}
