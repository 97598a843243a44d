package troupe

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// passedOn is the path under which a process takes what another one passes on.
const passedOn = "/peer/pass"

func newClient() *http.Client {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Client{Transport: &http.Transport{
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 20 * time.Second,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
	}}
}

// passed marks the context of a request that came from another process.
type passed struct{}

// PassOn has the process of this id answer a participant's request. It is false,
// and nothing is answered, if there is no such process. No request makes more than one such step.
func (t *Troupe) PassOn(w http.ResponseWriter, r *http.Request, process string) bool {
	to, known := t.find(process)
	if !known {
		t.learn(r.Context())
		to, known = t.find(process)
	}
	base, err := url.Parse(to.URL)
	if !known || err != nil {
		return false
	}
	if r.Context().Value(passed{}) != nil {
		unavailable(w, "The participant has just moved from one server to another; try again in a moment")
		return true
	}
	t.count.passed.Add(1)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(t.cut, cancel)()
	proxy := &httputil.ReverseProxy{
		Transport: t.client.Transport,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Path, p.Out.URL.RawPath = passedOn+p.In.URL.Path, ""
			p.Out.Header.Set(sealHeader, t.seal.proof(p.Out.Method, pathOf(p.Out), t.Register.Process(), to.ID))
			p.SetURL(base)
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				t.Log.Warn("a request could not be passed on", "process", to.ID, "peer_url", to.URL, "error", err)
			}
			unavailable(w, "The server that holds the participant does not answer; try again in a moment")
		},
	}
	// What this door has said so far is for the other one to say.
	clear(w.Header())
	proxy.ServeHTTP(w, r.WithContext(ctx))
	return true
}

// learn looks at once who is alive.
func (t *Troupe) learn(ctx context.Context) {
	if alive, err := t.Register.Processes(ctx); err == nil {
		t.meet(alive)
	}
}

// takeOn serves a request that another process passes on.
func (t *Troupe) takeOn(w http.ResponseWriter, r *http.Request) {
	r.Header.Del(sealHeader)
	r = r.WithContext(context.WithValue(r.Context(), passed{}, true))
	http.StripPrefix(passedOn, t.doors).ServeHTTP(w, r)
}

// unavailable answers a participant as its doors do.
func unavailable(w http.ResponseWriter, sentence string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Retry-After", "2")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusServiceUnavailable)
	json.NewEncoder(w).Encode(map[string]any{ // a client that is gone needs no error
		"type": "about:blank", "title": "Service Unavailable", "status": http.StatusServiceUnavailable, "detail": sentence, "code": "",
	})
}
