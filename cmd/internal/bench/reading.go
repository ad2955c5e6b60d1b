package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"
)

// readRequests is how many different requests a row of reads sends.
const readRequests = 2000

// measureReads measures read by id and the patient-scoped search, each against the bare handler.
func (b *run) measureReads(ctx context.Context) error {
	s, err := b.openRegion(ctx, false, false)
	if err != nil {
		return err
	}
	paths, err := b.readPaths()
	if err != nil {
		return err
	}
	searches, err := b.searches(s)
	if err != nil {
		return err
	}
	for _, r := range []struct {
		name, goal string
		workers    int
		paths      []string
	}{
		{"read by id, 8 clients", "ratio 0.80", clients, paths},
		{"search of a patient, 20 rows, 1 client", "p50 under 1 ms", 1, searches},
	} {
		bare, err := b.openBare(s, r.paths)
		if err != nil {
			return err
		}
		subject, baseline := &measurement{}, &measurement{}
		for range rounds {
			for _, turn := range []struct {
				of *measurement
				at *target
			}{{subject, s}, {baseline, bare}} {
				if err := b.sendGets(ctx, turn.of, turn.at, r.workers, r.paths); err != nil {
					return err
				}
			}
		}
		b.report.Rows = append(b.report.Rows, row(r.name, "bare handler, same bytes", r.goal, subject, baseline))
	}
	return nil
}

// sendGets runs one round of GETs.
func (b *run) sendGets(ctx context.Context, m *measurement, at *target, workers int, paths []string) error {
	requests := make([]request, len(paths))
	for i, p := range paths {
		requests[i] = get(at, p)
	}
	return b.send(ctx, m, at, workers, requests)
}

// send runs one round, which repeats the requests in their order.
func (b *run) send(ctx context.Context, m *measurement, at *target, workers int, requests []request) error {
	list, hangUp, err := b.dialAll(at, workers)
	if err != nil {
		return err
	}
	defer hangUp()
	_, err = m.run(ctx, workers, b.cfg.Length/rounds, 0, 0, func(worker, n int) error {
		return list[worker].do(requests[n%len(requests)])
	})
	return err
}

func (b *run) dialAll(at *target, n int) (list []*client, hangUp func(), err error) {
	hangUp = func() {
		for _, c := range list {
			c.close()
		}
	}
	for range n {
		c, err := dial(at.address)
		if err != nil {
			hangUp()
			return nil, nil, err
		}
		list = append(list, c)
	}
	return list, hangUp, nil
}

// readPaths returns the paths of resources of the region, of all types and patients.
func (b *run) readPaths() ([]string, error) {
	var paths []string
	for bundle := range b.region() {
		gjson.GetBytes(bundle.Body, "entry.#.request.url").ForEach(func(_, url gjson.Result) bool {
			paths = append(paths, url.Str)
			return true
		})
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("the region is empty")
	}
	var out []string
	for i := range min(readRequests, len(paths)) {
		out = append(out, paths[i*7919%len(paths)]) // not in the order of the store
	}
	return out, nil
}

// searches adds Observations of some patients, and returns searches with 20 matches each.
func (b *run) searches(s *target) ([]string, error) {
	c, err := dial(s.address)
	if err != nil {
		return nil, err
	}
	defer c.close()
	var paths []string
	for _, patient := range b.patients(50) {
		for _, o := range b.observations(30) {
			if err := c.do(post(s, "Observation", o.withPatient(patient))); err != nil {
				return nil, fmt.Errorf("add an Observation: %w", err)
			}
		}
		paths = append(paths, "Observation?patient="+patient+"&_count=20")
	}
	return paths, nil
}

// patients returns references to the Patients of the first n people of the region, one for each.
func (b *run) patients(n int) []string {
	var out []string
	people := map[string]bool{}
	for bundle := range b.region() {
		id := gjson.GetBytes(bundle.Body, `entry.#.resource|#(resourceType=="Patient").id`).Str
		if _, person, _ := strings.Cut(id, "."); id != "" && !people[person] && len(out) < n {
			people[person] = true
			out = append(out, "Patient/"+id)
		}
	}
	return out
}

// openBare serves the answers of another target to these requests, with the same headers and
// bytes, from memory.
func (b *run) openBare(m *target, paths []string) (*target, error) {
	type kept struct {
		header map[string]string
		body   []byte
	}
	answers := map[string]kept{}
	for _, p := range paths {
		req, err := http.NewRequest(http.MethodGet, "http://"+m.address+"/fhir/"+p, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept-Encoding", "identity") // as the measured client does
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, fmt.Errorf("record the answers of the bare handler: %w", err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("record the answers of the bare handler: %s: status %d, %w", p, resp.StatusCode, err)
		}
		if n := gjson.GetBytes(body, "entry.#").Int(); strings.Contains(p, "_count=20") && n != 20 {
			return nil, fmt.Errorf("%s answers with %d rows, not 20", p, n)
		}
		k := kept{header: map[string]string{}, body: body}
		for name, values := range resp.Header {
			if name != "Date" { // net/http writes it itself
				k.header[name] = values[0]
			}
		}
		answers["/fhir/"+p] = k
	}
	return b.serve(func(string) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			k, ok := answers[r.RequestURI]
			if !ok {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			h := w.Header()
			for name, value := range k.header {
				h.Set(name, value)
			}
			w.WriteHeader(http.StatusOK)
			w.Write(k.body) // an error means that the client closed the connection
		}), nil
	})
}
