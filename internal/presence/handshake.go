package presence

import (
	"net/http"
	"strings"
)

// protocol is the subprotocol of clients that know our own rules.
const protocol = "callboard.events.v1"

// handshake is what a client brings along.
type handshake struct {
	jwt  string
	echo string // the subprotocol to choose; "" if none was offered
	ours bool   // it understands ERROR frames and close codes
	ivs  bool   // it asks for errors on the socket, in Amazon's words
}

// readHandshake finds the token: beside our protocol, as the only subprotocol
// (the way IVS clients do it, for a browser can set no header), or in the header.
func readHandshake(r *http.Request) handshake {
	h := r.Header
	found := handshake{ivs: r.URL.Query().Get(ivsAsksForErrors) == "1"}
	for _, line := range h.Values("Sec-WebSocket-Protocol") {
		for offered := range strings.SplitSeq(line, ",") {
			offered = strings.TrimSpace(offered)
			switch {
			case strings.EqualFold(offered, protocol):
				found.ours = true
			case found.jwt == "":
				found.jwt = offered
			}
		}
	}
	found.echo = found.jwt
	if found.ours {
		found.echo, found.ivs = protocol, false
	}
	if found.jwt == "" {
		scheme, jwt, _ := strings.Cut(h.Get("Authorization"), " ")
		if strings.EqualFold(scheme, "Bearer") {
			found.jwt = strings.TrimSpace(jwt)
		}
	}
	return found
}

// hears tells whether the client is told of the error on the socket, rather
// than by a refused upgrade.
func (h handshake) hears(err error) bool {
	if h.ours {
		return true
	}
	_, final := ivsRefusal(explain(err))
	return h.ivs && final
}

// choice is echo as a list for the upgrade.
func (h handshake) choice() []string {
	if h.echo == "" {
		return nil
	}
	return []string{h.echo}
}

// topicOf finds the stage that an address names, "" if it leaves that to the
// token. It is false for an address that is not ours.
func topicOf(path, prefix, query string) (string, bool) {
	rest, ok := strings.CutPrefix(path, prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	topic := strings.TrimPrefix(rest, "/")
	if strings.Contains(topic, "/") {
		return "", false
	}
	if topic == "" {
		topic, _, _ = strings.Cut(query, "/") // "<topic>/publishers"
	}
	return topic, true
}
