package whip

import (
	"net/http"
	"strings"
)

// allowOrigins lets pages of every origin read the answers.
func allowOrigins(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Location, ETag, Link, Accept-Post, Accept-Patch, Retry-After")
}

// preflight answers what a browser asks before it sends the request proper.
func preflight(h http.Header, r *http.Request, methods string) {
	h.Set("Allow", methods)
	h.Set("Access-Control-Allow-Methods", "POST, GET, HEAD, PUT, PATCH, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", allowedHeaders(r.Header.Get("Access-Control-Request-Headers")))
	h.Set("Access-Control-Max-Age", "86400")
	h.Add("Vary", "Access-Control-Request-Headers")
}

// allowedHeaders are those we read, and whatever else a client announces: SDKs
// send many of their own, and none of them gives anybody a right.
func allowedHeaders(requested string) string {
	allowed := []string{"Authorization", "Content-Type", "If-Match"}
	for name := range strings.SplitSeq(requested, ",") {
		name = strings.TrimSpace(name)
		if len(allowed) < 64 && isToken(name) && !contains(allowed, name) {
			allowed = append(allowed, name)
		}
	}
	return strings.Join(allowed, ", ")
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// isToken tells whether s has the form of a header name, and a sane length.
func isToken(s string) bool {
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
		default:
			return false
		}
	}
	return s != "" && len(s) <= 64
}
