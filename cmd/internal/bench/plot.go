package bench

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// Plot draws the p50 of each query over the patients of the rungs, both axes
// logarithmic, as SVG.
func Plot(w io.Writer, rungs []*Mix) error {
	const width, height, left, right, top, bottom = 1000, 620, 70, 460, 30, 50
	low, high := math.Inf(1), math.Inf(-1)
	for _, m := range rungs {
		for _, q := range m.Queries {
			if q.Figure.P50 > 0 {
				low, high = min(low, math.Log10(ms(q.Figure.P50))), max(high, math.Log10(ms(q.Figure.P50)))
			}
		}
	}
	low, high = math.Floor(low), math.Ceil(high)
	first, last := math.Log10(float64(rungs[0].Patients)), math.Log10(float64(rungs[len(rungs)-1].Patients))
	x := func(patients int) float64 {
		return left + (math.Log10(float64(patients))-first)/max(last-first, 1e-9)*(width-left-right)
	}
	y := func(p50 float64) float64 {
		return top + (high-math.Log10(p50))/max(high-low, 1)*(height-top-bottom)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11"><rect width="100%%" height="100%%" fill="white"/>`+"\n", width, height)
	for e := low; e <= high; e++ {
		at := y(math.Pow(10, e))
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%g ms</text>`+"\n", left, at, width-right, left-6, at+4, math.Pow(10, e))
	}
	for _, m := range rungs {
		fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", x(m.Patients), top, height-bottom, x(m.Patients), height-bottom+16, m.Patients)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">patients</text><text x="%d" y="18">p50 of a request, %d clients</text>`+"\n", (left+width-right)/2, height-12, left, ladderClients)
	for i, q := range rungs[0].Queries {
		colour := fmt.Sprintf("hsl(%d,70%%,%d%%)", i*360/len(rungs[0].Queries), 35+i%2*12)
		var points []string
		for _, m := range rungs {
			if f := m.Queries[i].Figure; f.P50 > 0 {
				points = append(points, fmt.Sprintf("%.1f,%.1f", x(m.Patients), y(ms(f.P50))))
			}
		}
		legend := top + 14 + i*18
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.6"/><path d="M%d %dh18" stroke="%s" stroke-width="3"/><text x="%d" y="%d">%s</text>`+"\n",
			strings.Join(points, " "), colour, width-right+14, legend-4, colour, width-right+38, legend, strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(q.Name))
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
