package server

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// localOnly is the API's door of a server that accepts any credentials. It
// listens on loopback, but the browser of whoever runs it is there too, and acts for
// every page it has open. So a request must come from a page of this machine or
// from none, and it must be meant for this machine: a name that somebody else
// has pointed to loopback gives that away.
type localOnly struct {
	api  http.Handler
	host string // of the public URL, which is meant as well
}

func (l localOnly) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if host := hostOf(r.Host); !local(host) && !strings.EqualFold(host, l.host) {
		refuseForeign(w, fmt.Sprintf("This server runs with dev and answers only to localhost, not to %.100q.", r.Host))
		return
	}
	for _, origin := range r.Header.Values("Origin") {
		if u, err := url.Parse(origin); err != nil || !local(u.Hostname()) {
			refuseForeign(w, fmt.Sprintf("This server runs with dev and answers no page from elsewhere, such as %.100q.", origin))
			return
		}
	}
	l.api.ServeHTTP(w, r)
}

// local tells whether browsers take a host for their own machine. They do so
// with all names under localhost (RFC 6761).
func local(host string) bool {
	host = strings.ToLower(host)
	return loopbackHost(host) || strings.HasSuffix(host, ".localhost")
}

// hostOf takes the port off a Host header.
func hostOf(header string) string {
	if host, _, err := net.SplitHostPort(header); err == nil {
		return host
	}
	return strings.Trim(header, "[]")
}

// refuseForeign answers as the API does, so that SDKs show the sentence.
func refuseForeign(w http.ResponseWriter, sentence string) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Amzn-ErrorType", "AccessDeniedException")
	w.WriteHeader(http.StatusForbidden)
	json.NewEncoder(w).Encode(map[string]string{"message": sentence})
}
