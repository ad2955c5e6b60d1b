package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

// ladderClients is how many clients send requests on each rung.
const ladderClients = 4

// measureLadder measures the mix on one region after the other, and the disk space of each.
func (b *run) measureLadder(ctx context.Context) error {
	for _, patients := range b.cfg.Ladder {
		if b.cfg.Progress != nil {
			b.cfg.Progress(fmt.Sprintf("%d patients", patients))
		}
		s, err := b.open(ctx, false, false)
		if err != nil {
			return err
		}
		m, err := b.runMix(ctx, s, patients, ladderClients)
		if err == nil {
			m.Disk, err = b.measureDisk(ctx, s, m.Resources)
		}
		if err != nil {
			return fmt.Errorf("%d patients: %w", patients, err)
		}
		b.report.Ladder = append(b.report.Ladder, m)
		if err := os.RemoveAll(s.dir); err != nil {
			return err
		}
	}
	return nil
}

// printLadder writes a line for each query, with p50 and p99 of each rung.
func printLadder(w io.Writer, rungs []*Mix) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cell func(*Mix) string, name string) {
		for _, m := range rungs {
			fmt.Fprintf(t, "%s\t", cell(m))
		}
		fmt.Fprintf(t, " %s\n", name)
	}
	line(func(m *Mix) string { return fmt.Sprint(m.Patients) }, "patients")
	line(func(m *Mix) string { return fmt.Sprint(m.Resources) }, "resources")
	line(func(m *Mix) string { return fmt.Sprintf("%.0f", float64(m.Resources)/m.Loading.Seconds()) }, "resources loaded a second, one bundle after the other")
	line(func(m *Mix) string { return fmt.Sprintf("%.0f", m.Disk.PerResource) }, "bytes of disk a resource")
	for i, q := range rungs[0].Queries {
		line(func(m *Mix) string {
			if f := m.Queries[i].Figure; f.Operations > 0 {
				return fmt.Sprintf("%s, %s", round(f.P50), round(f.P99))
			}
			return "not served"
		}, q.Name)
	}
	t.Flush()
	fmt.Fprintf(w, "p50, p99; %d clients\n", ladderClients)
}
