package express

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// verdict is what is known of a request after some bytes of it.
type verdict int

const (
	more  verdict = iota // it may be plain: the rest has to come
	whole                // it is plain and all there
	other                // it is not plain: it is net/http's
)

// request is a plain request. It is used again and again, so nothing may keep a
// part of it but its strings.
type request struct {
	http   http.Request // what handlers get
	header http.Header
	values []string // what header's lists are parts of
	url    url.URL
	size   int // bytes, body included
}

const (
	method  = "POST /"
	version = " HTTP/1.1"
)

// parse reads the request with which b begins, and which must not be longer
// than room. takes tells which paths are wanted.
func (r *request) parse(b []byte, room int, takes func(path string) bool) verdict {
	if n := min(len(b), len(method)); string(b[:n]) != method[:n] {
		return other
	}
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return awaited(b, room)
	}
	head := string(b[:end])
	line, lines, _ := strings.Cut(head, "\r\n")
	uri, plain := strings.CutSuffix(line[len("POST "):], version)
	if !plain || !takes(uri) || !r.readHeader(lines) {
		return other
	}
	length, plain := r.takeLength()
	host, hosted := r.takeHost()
	r.size = end + len("\r\n\r\n") + length
	switch {
	case !plain || !hosted || r.size > room:
		return other
	case r.size > len(b):
		return more
	}
	r.url = url.URL{Path: uri}
	r.http.Method, r.http.URL, r.http.RequestURI = http.MethodPost, &r.url, uri
	r.http.Proto, r.http.ProtoMajor, r.http.ProtoMinor = "HTTP/1.1", 1, 1
	r.http.Header, r.http.Host, r.http.ContentLength = r.header, host, int64(length)
	return whole
}

// awaited judges the beginning of a head. Lines that end in a mere line feed
// would never end in what is looked for.
func awaited(b []byte, room int) verdict {
	for i, c := range b {
		if c == '\n' && b[i-1] != '\r' {
			return other
		}
	}
	if len(b) >= room {
		return other
	}
	return more
}

// readHeader reads lines into the header; false if one is not plain.
func (r *request) readHeader(lines string) bool {
	clear(r.header)
	r.values = r.values[:0]
	for lines != "" {
		var line string
		line, lines, _ = strings.Cut(lines, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !ok || !isToken(name) || !isText(value) {
			return false
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		if !harmless(name, value) {
			return false
		}
		r.add(name, value)
	}
	return true
}

func (r *request) add(name, value string) {
	if list := r.header[name]; list != nil {
		r.header[name] = append(list, value)
		return
	}
	n := len(r.values)
	r.values = append(r.values, value)
	r.header[name] = r.values[n : n+1 : n+1] // an old array, if it has grown, holds what was put there
}

// harmless tells whether a header changes nothing of how a request is read or
// answered.
func harmless(name, value string) bool {
	switch name {
	case "Transfer-Encoding", "Trailer", "Expect", "Upgrade", "Pragma":
		return false
	case "Connection":
		return strings.EqualFold(value, "keep-alive")
	}
	return true
}

// takeLength reads the Content-Length, of which there must be one.
func (r *request) takeLength() (length int, ok bool) {
	values := r.header["Content-Length"]
	if len(values) != 1 || values[0] == "" || len(values[0]) > 5 {
		return 0, false
	}
	for _, c := range []byte(values[0]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		length = 10*length + int(c-'0')
	}
	return length, true
}

// takeHost takes the Host out of the header, as net/http does.
func (r *request) takeHost() (host string, ok bool) {
	values := r.header["Host"]
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	for _, c := range []byte(values[0]) {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte("-._:[]", c) < 0 {
			return "", false
		}
	}
	delete(r.header, "Host")
	return values[0], true
}

// isToken tells whether s is the name of a header (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if !tokens[s[i]] {
			return false
		}
	}
	return s != ""
}

// isText tells whether s is made of what is printable in ASCII.
func isText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

var tokens = func() (is [256]bool) {
	for c := '0'; c <= 'z'; c++ {
		is[c] = c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		is[c] = true
	}
	return is
}()
