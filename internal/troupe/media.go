package troupe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"callboard/internal/stage"
)

const (
	askTimeout = 4 * time.Second // after which an answer is complete enough
	maxMedia   = 64 << 20        // bytes of one answer
)

// Inspect implements [stage.Floor]: what all processes know. Those that do not answer are named.
func (t *Troupe) Inspect(ctx context.Context, arn stage.ARN, participantID string) (stage.Media, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	all, err := t.Register.Processes(ctx)
	if err != nil {
		return stage.Media{}, err
	}
	answers := make([]stage.Media, len(all))
	var asked sync.WaitGroup
	for i, p := range all {
		if p.ID == t.Register.Process() {
			continue
		}
		asked.Go(func() {
			m, err := t.askMedia(ctx, p, arn, participantID)
			if err != nil {
				t.Log.Warn("another server does not tell what media it carries", "process", p.ID, "peer_url", p.URL, "error", err)
				m = stage.Media{Missing: []string{p.ID}}
			}
			answers[i] = m
		})
	}
	m, err := t.floor.Inspect(ctx, arn, participantID)
	asked.Wait()
	for _, other := range answers {
		m.Add(other)
	}
	return m, err
}

// askMedia asks one other process.
func (t *Troupe) askMedia(ctx context.Context, to stage.Process, arn stage.ARN, participantID string) (m stage.Media, err error) {
	path := "/peer/media?" + url.Values{"stage": {arn.String()}, "participant": {participantID}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, to.URL+path, nil)
	if err != nil {
		return m, err
	}
	r.Header.Set(sealHeader, t.seal.proof(r.Method, path, t.Register.Process(), to.ID))
	resp, err := t.client.Do(r)
	if err != nil {
		return m, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return m, fmt.Errorf("process %s answers %s", to.ID, resp.Status)
	}
	return m, json.NewDecoder(io.LimitReader(resp.Body, maxMedia)).Decode(&m)
}

// tellMedia answers another process.
func (t *Troupe) tellMedia(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	arn, err := stage.ParseARN(q.Get("stage"))
	if err != nil || r.Method != http.MethodGet {
		http.Error(w, "this is no question", http.StatusBadRequest)
		return
	}
	m, err := t.floor.Inspect(r.Context(), arn, q.Get("participant"))
	if err != nil {
		http.Error(w, "it is not known", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(m) // a process that is gone needs no answer
}
