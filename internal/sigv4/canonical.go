package sigv4

import (
	"net/http"
	"strconv"
	"strings"
)

// appendCanonical writes the canonical request of r:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html#create-canonical-request
// false means that a signed header is not there, so that no signature can fit.
func appendCanonical(buf []byte, r *http.Request, host string, body []byte, a *authorization, payload []byte) ([]byte, bool) {
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	buf = append(buf, method...)
	buf = append(buf, '\n')
	buf = appendPath(buf, r.URL.EscapedPath(), a.service)
	buf = append(buf, '\n')
	for i, p := range a.query {
		if i > 0 {
			buf = append(buf, '&')
		}
		buf = append(buf, p.name...)
		buf = append(buf, '=')
		buf = append(buf, p.value...)
	}
	buf = append(buf, '\n')
	buf, ok := appendHeaders(buf, r, host, body, a.signedHeaders)
	if !ok {
		return buf, false
	}
	buf = append(buf, '\n')
	buf = append(buf, a.signedHeaders...)
	buf = append(buf, '\n')
	return append(buf, payload...), true
}

// appendPath escapes a path that is escaped already: as it travels, every
// percent sign again. S3 alone takes it as it travels.
func appendPath(buf []byte, escaped, service string) []byte {
	switch {
	case escaped == "":
		return append(buf, '/')
	case service == "s3":
		return append(buf, escaped...)
	}
	return appendEscaped(buf, escaped, true)
}

func appendHeaders(buf []byte, r *http.Request, host string, body []byte, names string) ([]byte, bool) {
	for more := true; more; {
		var name string
		name, names, more = strings.Cut(names, ";")
		buf = append(buf, name...)
		buf = append(buf, ':')
		switch values := headerValues(r.Header, name); {
		case name == "host": // which Go keeps apart from the others
			buf = appendFolded(buf, host)
		case len(values) > 0:
			for i, value := range values {
				if i > 0 {
					buf = append(buf, ',')
				}
				buf = appendFolded(buf, value)
			}
		case name == "content-length": // which a client's request has no header for yet
			buf = strconv.AppendInt(buf, int64(len(body)), 10)
		default:
			return buf, false
		}
		buf = append(buf, '\n')
	}
	return buf, true
}

// headerValues looks up a lower-case name without making a string of its
// canonical spelling.
func headerValues(h http.Header, name string) []string {
	key := make([]byte, 0, 64)
	start := true
	for i := range len(name) {
		c := name[i]
		if start && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		key = append(key, c)
		start = c == '-'
	}
	return h[string(key)]
}

// appendFolded writes a header value trimmed, with runs of spaces as one.
func appendFolded(buf []byte, value string) []byte {
	value = strings.Trim(value, " \t")
	if !strings.Contains(value, "  ") {
		return append(buf, value...)
	}
	for i := range len(value) {
		if value[i] == ' ' && value[i-1] == ' ' { // a trimmed value does not begin with one
			continue
		}
		buf = append(buf, value[i])
	}
	return buf
}
