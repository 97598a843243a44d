package server

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"callboard/internal/stage"
)

// guard is the door of a server that accepts any credentials. The browser of
// whoever runs it reaches it, too, and acts for every page it has open. So a
// request must come from a page of this machine or from none, and it must be
// meant for this machine: a name that somebody else has pointed here gives that
// away.
//
// With network the machine may be a container, of which others speak by a
// name or an address of its own. Then an address is good for the host, since no
// name was pointed anywhere, and so is a name that nobody can register. Of such
// names a neighbour on the network can still own some, which his machine answers to
// by mDNS or LLMNR: these are no good for a page.
type guard struct {
	door    http.Handler
	host    string // of the public URL, which is meant as well
	network bool
}

func (g guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !g.meant(r.Host) {
		refuseForeign(w, fmt.Sprintf("This server runs with dev and answers only to %s, not to %.100q; public-url can name another host.", g.audience(), r.Host))
		return
	}
	for _, origin := range r.Header.Values("Origin") {
		if !g.friendly(origin) {
			refuseForeign(w, fmt.Sprintf("This server runs with dev and answers no page from elsewhere, such as %.100q.", origin))
			return
		}
	}
	g.door.ServeHTTP(w, r)
}

// meant tells whether a Host header names this server.
func (g guard) meant(header string) bool {
	host := hostOf(header)
	if !g.network {
		return local(host) || strings.EqualFold(host, g.host)
	}
	_, err := netip.ParseAddr(host)
	return plainHost(header) && (err == nil || local(host) || unregistered(host) || strings.EqualFold(host, g.host))
}

// friendly tells whether an Origin header names a page of this machine. Extensions
// of a browser have a scheme of their own.
func (g guard) friendly(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	return local(u.Hostname()) || g.network && unownable(u.Hostname())
}

func (g guard) audience() string {
	if g.network {
		return "addresses and to names that nobody can register, such as localhost or callboard"
	}
	return "localhost"
}

// local tells whether browsers take a host for their own machine. They do so
// with all names under localhost (RFC 6761).
func local(host string) bool {
	host = strings.ToLower(host)
	return loopbackHost(host) || strings.HasSuffix(host, ".localhost")
}

// unregistered tells whether a host is a name that no registrar gives: one without a
// dot, as containers and services have, one that mDNS gives (RFC 6762), or one that
// nobody can own at all.
func unregistered(host string) bool {
	bare := host != "" && !strings.ContainsAny(host, ".:")
	return bare || strings.HasSuffix(strings.ToLower(host), ".local") || unownable(host)
}

// unownable tells whether a host is under a domain that is not given to anybody (RFC
// 2606; ICANN has reserved internal).
func unownable(host string) bool {
	host = strings.ToLower(host)
	return strings.HasSuffix(host, ".internal") || strings.HasSuffix(host, ".test")
}

// hostOf takes the port off a Host header.
func hostOf(header string) string {
	if host, _, err := net.SplitHostPort(header); err == nil {
		return host
	}
	return strings.Trim(header, "[]")
}

// plainHost tells whether a Host header is a host with or without a port and
// nothing else, so that it may stand in a URL.
func plainHost(header string) bool {
	host, port, err := net.SplitHostPort(header)
	if err != nil {
		host, port = header, "80"
		if inner, ok := strings.CutPrefix(header, "["); ok {
			host = strings.TrimSuffix(inner, "]")
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || len(header) > 255 {
		return false
	}
	if strings.HasPrefix(header, "[") {
		ip, err := netip.ParseAddr(host)
		return err == nil && ip.Is6() && ip.Zone() == "" && strings.Contains(header, "]")
	}
	return host != "" && strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-_") == ""
}

// followsHost tells whether stages and tokens carry the host of the request that
// asks for them: nobody has said what it is, and only tests come.
func (s *Server) followsHost() bool { return s.cfg.Dev && s.cfg.PublicURL == "" }

// hostEndpoints are the URLs under which the sender of a request reaches the
// server; zero if its Host header is no host.
func hostEndpoints(r *http.Request) stage.Endpoints {
	if !plainHost(r.Host) {
		return stage.Endpoints{}
	}
	return endpoints(&url.URL{Scheme: "http", Host: r.Host})
}

// refuseForeign answers as the API does, so that SDKs show the sentence.
func refuseForeign(w http.ResponseWriter, sentence string) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Amzn-ErrorType", "AccessDeniedException")
	w.WriteHeader(http.StatusForbidden)
	json.NewEncoder(w).Encode(map[string]string{"message": sentence})
}
