package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/conformance/synth"
)

// examples is how many different requests each query of the mix has.
const examples = 64

// MixedQuery is one query of the search mix.
type MixedQuery struct {
	Name    string  `json:"name"`
	Refused string  `json:"refused,omitempty"` // why it is not served; the other fields are empty then
	Rows    float64 `json:"rows,omitempty"`    // resources in an answer, with includes; for _summary=count, the count
	Bytes   float64 `json:"bytes,omitempty"`   // of an answer
	Figure  Figure  `json:"figure"`
}

// Mix is the search mix over a synthetic region.
type Mix struct {
	Patients  int           `json:"patients"`
	Resources int           `json:"resources"`
	Loading   time.Duration `json:"loading_ns"`
	Clients   int           `json:"clients"`
	Queries   []MixedQuery  `json:"queries"`
	Disk      *Disk         `json:"disk,omitempty"` // of a rung of the ladder
}

// measureMix measures the mix with one client.
func (b *run) measureMix(ctx context.Context) error {
	s, err := b.open(ctx, false, false)
	if err == nil {
		b.report.Mix, err = b.runMix(ctx, s, b.cfg.MixPatients, 1)
	}
	return err
}

// runMix loads a region as a stream and runs every query of the mix. A query that is not
// supported is listed. One that finds nothing is an error, since its values are from the region.
func (b *run) runMix(ctx context.Context, s *target, patients, clients int) (*Mix, error) {
	cfg := synth.Config{Patients: patients, Seed: 1, Shape: b.cfg.Shape}
	m := &Mix{Patients: cfg.Patients, Clients: clients}
	if err := m.load(ctx, s, cfg); err != nil {
		return nil, err
	}
	queries := synth.Mix(cfg, examples)
	served := make([]*measurement, len(queries))
	for i, q := range queries {
		row, err := probe(ctx, s, q)
		if err != nil {
			return nil, err
		}
		m.Queries = append(m.Queries, row)
		if row.Refused == "" {
			served[i] = &measurement{}
		}
	}
	for range rounds {
		for i, q := range queries {
			if served[i] == nil {
				continue
			}
			if err := b.sendGets(ctx, served[i], s, clients, q.Examples); err != nil {
				return nil, fmt.Errorf("%s: %w", q.Name, err)
			}
		}
	}
	for i, answers := range served {
		if answers != nil {
			m.Queries[i].Figure = answers.figure()
		}
	}
	return m, nil
}

// load loads the region, one bundle after the other.
func (m *Mix) load(ctx context.Context, s *target, cfg synth.Config) error {
	start := time.Now()
	for bundle := range synth.Region(cfg) {
		if err := s.record.Load(ctx, bundle.Source, bundle.Body); err != nil {
			return fmt.Errorf("load the region: %w", err)
		}
		m.Resources += int(gjson.GetBytes(bundle.Body, "entry.#").Int())
	}
	m.Loading = time.Since(start)
	return nil
}

// probe runs each example once.
func probe(ctx context.Context, s *target, q synth.Query) (MixedQuery, error) {
	m := MixedQuery{Name: q.Name}
	if len(q.Examples) == 0 {
		return m, fmt.Errorf("%s: the region has no values for it", q.Name)
	}
	for i, path := range q.Examples {
		status, body, err := fetch(ctx, s, path)
		if err != nil {
			return m, fmt.Errorf("%s: %w", q.Name, err)
		}
		if issue := gjson.GetBytes(body, "issue.0"); i == 0 && (status == 400 || status == 404) && issue.Get("code").Str == "not-supported" {
			m.Refused = fmt.Sprintf("%d %s", status, issue.Get("details.text").Str)
			return m, nil
		}
		rows := gjson.GetBytes(body, "entry.#").Int()
		if rows == 0 {
			rows = gjson.GetBytes(body, "total").Int()
		}
		if status != http.StatusOK || rows == 0 {
			return m, fmt.Errorf("%s: %s: got status %d with %d rows: %.300s", q.Name, path, status, rows, body)
		}
		m.Rows += float64(rows) / float64(len(q.Examples))
		m.Bytes += float64(len(body)) / float64(len(q.Examples))
	}
	return m, nil
}

func fetch(ctx context.Context, s *target, path string) (status int, body []byte, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/fhir/"+path, nil)
	if err != nil {
		return 0, nil, err
	}
	q.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	if err == nil && !json.Valid(body) {
		err = fmt.Errorf("%s: the answer of status %d is not JSON", path, resp.StatusCode)
	}
	return resp.StatusCode, body, err
}
