package api

import (
	"bytes"
	"errors"
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
	var buf bytes.Buffer
	if n := r.ContentLength; n > 0 {
		buf.Grow(int(min(n, 4096)) + bytes.MinRead) // more only as it arrives: the sender is not known yet
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, frontDoor(http.StatusBadRequest, "SerializationException", "The request body could not be read.")
	}
	return buf.Bytes(), nil
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
	for name, value := range a.headers {
		h[name] = value
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
		h["Content-Type"] = []string{"application/json"}
	}
	w.WriteHeader(e.status)
	w.Write(e.body) // an error here means that nobody listens any more
}

// commonHeaders are those of every response, as the CLI reference shows them
// under StartParticipantReplication; the max-age is spelled as RFC 6797 wants it.
func commonHeaders(plain bool) http.Header {
	h := http.Header{}
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Access-Control-Allow-Origin,Access-Control-Expose-Headers,Cache-Control,"+
		"Content-Length,Content-Security-Policy,Content-Type,date,Strict-Transport-Security,x-amz-apigw-id,"+
		"x-amzn-errormessage,x-amzn-errortype,x-amzn-requestid,x-amzn-trace-id,X-Content-Type-Options,X-Frame-Options")
	h.Set("Cache-Control", "no-store, no-cache")
	h.Set("Content-Security-Policy", "default-src 'self'; upgrade-insecure-requests;")
	h.Set("Strict-Transport-Security", "max-age=47304000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	if plain {
		h.Set("Content-Security-Policy", "default-src 'self';")
		h.Del("Strict-Transport-Security")
	}
	return h
}
