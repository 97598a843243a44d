package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// request is a request whose body has been read.
type request struct {
	*http.Request
	body     []byte
	resource string // what follows /tags/, unescaped
	op       *operation
	by       Principal
}

const (
	// smallBody is what anybody may send before anything is known of him.
	smallBody = 8 << 10
	// maxLarge is how many larger bodies are read at the same time.
	maxLarge = 64
)

// readBody reads the whole body: its hash is part of the signature. A large one
// is read only for who has the head of a good signature, and in its turn.
func (a *API) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, errTooLarge
	}
	if r.ContentLength < 0 || r.ContentLength > smallBody {
		if err := a.o.Verifier.Glance(r); err != nil {
			return nil, err
		}
		select {
		case a.large <- struct{}{}:
			defer func() { <-a.large }()
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	body, err := readAll(w, r)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, frontDoor(http.StatusBadRequest, "SerializationException", "The request body could not be read.")
	}
	return body, nil
}

// readAll takes memory for a large body only as it arrives, because its sender
// is not known yet.
func readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if n := r.ContentLength; 0 <= n && n <= smallBody {
		body := make([]byte, n)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	var buf bytes.Buffer
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	return buf.Bytes(), err
}

// checkMedia refuses what is clearly not a conversation in JSON. A missing
// type counts as JSON, and so does what curl sends when told nothing.
func (r *request) checkMedia(hasBody bool) error {
	if ct := r.Header.Get("Content-Type"); hasBody && ct != "" && !sendsJSON(ct) {
		return frontDoor(http.StatusUnsupportedMediaType, "UnsupportedMediaTypeException",
			"The request body must be application/json.")
	}
	if accept := r.Header.Values("Accept"); len(accept) > 0 && !takesJSON(strings.Join(accept, ",")) {
		return frontDoor(http.StatusNotAcceptable, "NotAcceptableException",
			"This service answers in application/json only.")
	}
	return nil
}

func sendsJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return (err == nil || errors.Is(err, mime.ErrInvalidMediaParameter)) && strings.HasPrefix(media, "application/") && !strings.HasSuffix(media, "xml")
}

func takesJSON(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		media, _, _ := strings.Cut(part, ";")
		switch media = strings.ToLower(strings.TrimSpace(media)); {
		case media == "", media == "*/*", media == "application/*":
			return true
		case strings.HasPrefix(media, "application/") && strings.Contains(media, "json"):
			return true
		}
	}
	return false
}

// write sends the answer: status, headers and body at once. Date is added by
// net/http.
func (a *API) write(w http.ResponseWriter, e *exchange) {
	h := w.Header()
	for _, line := range a.headers {
		h[line.name] = line.values
	}
	h["X-Amzn-Requestid"] = []string{e.id}
	if e.code != "" {
		h["X-Amzn-Errortype"] = []string{e.code}
	}
	if e.allow {
		h["Access-Control-Allow-Methods"] = []string{"GET,POST,DELETE,OPTIONS"}
		h["Access-Control-Allow-Headers"] = []string{"authorization, content-type, x-amz-date, x-amz-security-token, " +
			"x-amz-content-sha256, x-amz-user-agent, amz-sdk-invocation-id, amz-sdk-request"}
	} else {
		h["Content-Length"] = []string{strconv.Itoa(len(e.body))}
	}
	if len(e.body) > 0 {
		h["Content-Type"] = jsonType
	}
	w.WriteHeader(e.status)
	w.Write(e.body) // an error here means that nobody listens any more
}

var jsonType = []string{"application/json"}

// headerLine is a header that is the same in many responses. Its list is shared
// by all of them, and full, so that who adds to it gets one of his own.
type headerLine struct {
	name   string // in its canonical form
	values []string
}

// commonHeaders are those of every response, as the CLI reference shows them
// under StartParticipantReplication; the max-age is spelled as RFC 6797 wants it.
func commonHeaders(plain bool) []headerLine {
	one := func(name, value string) headerLine { return headerLine{name, []string{value}} }
	lines := []headerLine{
		one("Access-Control-Allow-Origin", "*"),
		one("Access-Control-Expose-Headers", "Access-Control-Allow-Origin,Access-Control-Expose-Headers,Cache-Control,"+
			"Content-Length,Content-Security-Policy,Content-Type,date,Strict-Transport-Security,x-amz-apigw-id,"+
			"x-amzn-errormessage,x-amzn-errortype,x-amzn-requestid,x-amzn-trace-id,X-Content-Type-Options,X-Frame-Options"),
		one("Cache-Control", "no-store, no-cache"),
		one("X-Content-Type-Options", "nosniff"),
		one("X-Frame-Options", "DENY"),
	}
	if plain {
		return append(lines, one("Content-Security-Policy", "default-src 'self';"))
	}
	return append(lines, one("Content-Security-Policy", "default-src 'self'; upgrade-insecure-requests;"),
		one("Strict-Transport-Security", "max-age=47304000; includeSubDomains"))
}
