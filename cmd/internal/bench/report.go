package bench

import (
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"
)

// Report is the result of a run.
type Report struct {
	Machine string `json:"machine"`
	Rows    []Row  `json:"rows"`
	Disk    *Disk  `json:"disk,omitempty"`
	Mix     *Mix   `json:"mix,omitempty"`
	Ladder  []*Mix `json:"ladder,omitempty"`
}

// Row compares a subject with a baseline.
type Row struct {
	Name     string  `json:"name"`
	Limit    string  `json:"limit"`
	Goal     string  `json:"goal,omitempty"`
	Subject  Figure  `json:"subject"`
	Baseline Figure  `json:"beside"`
	Ratio    float64 `json:"ratio"` // of operations per second
	// Low and High are the ratios of the worst and the best round.
	Low  float64 `json:"ratio_low"`
	High float64 `json:"ratio_high"`
}

// Disk is the disk space of the loaded bundles, after compaction and a restart.
type Disk struct {
	Resources   int     `json:"resources"`
	Bytes       int64   `json:"bytes"`
	PerResource float64 `json:"bytes_per_resource"`
}

func describeMachine() string {
	return fmt.Sprintf("%d cores, %s/%s, %s", runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// Print writes the report as a table.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "%s\n", r.Machine)
	switch {
	case r.Mix != nil:
		r.Mix.print(w)
		return
	case r.Ladder != nil:
		printLadder(w, r.Ladder)
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "measured\tn\t/s\tp50\tp99\tcpu\tallocs\tratio\tof rounds\tgoal\t")
	writeFigure := func(name string, f Figure) {
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%s\t%s\t%s\t%.0f\t", name, f.Operations, f.PerSecond, round(f.P50), round(f.P99), round(f.CPU), f.Allocs)
	}
	for _, row := range r.Rows {
		writeFigure(row.Name, row.Subject)
		fmt.Fprintf(t, "%.2f\t%.2f to %.2f\t%s\t\n", row.Ratio, row.Low, row.High, row.Goal)
		writeFigure(row.Limit, row.Baseline)
		fmt.Fprintln(t, "\t\t\t")
	}
	t.Flush()
	if d := r.Disk; d != nil {
		fmt.Fprintf(w, "disk: %d resources, %d bytes, %.0f bytes a resource after compaction and a restart\n", d.Resources, d.Bytes, d.PerResource)
	}
}

func (m *Mix) print(w io.Writer) {
	fmt.Fprintf(w, "%d patients, %d resources, loaded at %.0f resources/s; clients: %d\n", m.Patients, m.Resources, float64(m.Resources)/m.Loading.Seconds(), m.Clients)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "n\trows\tbytes\tp50\tp99\tcpu\tallocs\t query")
	for _, q := range m.Queries {
		if q.Refused != "" {
			fmt.Fprintf(t, "\t\t\tnot served\t\t\t\t %s: %s\n", q.Name, q.Refused)
			continue
		}
		f := q.Figure
		fmt.Fprintf(t, "%d\t%.0f\t%.0f\t%s\t%s\t%s\t%.0f\t %s\n", f.Operations, q.Rows, q.Bytes, round(f.P50), round(f.P99), round(f.CPU), f.Allocs, q.Name)
	}
	t.Flush()
}

func round(d time.Duration) time.Duration {
	switch {
	case d > 10*time.Millisecond:
		return d.Round(100 * time.Microsecond)
	default:
		return d.Round(100 * time.Nanosecond)
	}
}
