package whip

import (
	"cmp"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"

	"callboard/internal/live"
	"callboard/internal/sfu"
	"callboard/internal/stage"
)

// maxBody bounds what is read of a request, in bytes.
const maxBody = 64 << 10

const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"
)

// Options are what an Endpoint is built from.
type Options struct {
	Register *stage.Register
	Floor    *live.Floor
	Log      *slog.Logger // nil logs nothing

	// Prefix is the path under which requests arrive, such as "/whip".
	Prefix string
	// PublicPath is the same path as clients know it, where it differs because
	// of a proxy. Prefix by default.
	PublicPath string

	// Servers gives the values of Link headers that tell a participant which
	// STUN and TURN servers to use. nil if there are none.
	Servers func(participant string) []string

	// PassOn has another process answer, false if it is not there. nil if there
	// can be no other.
	PassOn func(w http.ResponseWriter, r *http.Request, process string) bool
}

// Endpoint serves everything under its prefix:
//
//	POST                                {prefix} and {prefix}/publish/{participantId}
//	POST                                {prefix}/subscribe/{participantId}
//	PATCH, DELETE                       {prefix}/sessions/{id}
//	PUT                                 {prefix}/sessions/{id}/layer
//	GET, OPTIONS                        all of them
//	HEAD                                all but the last
//
// It is safe for concurrent use.
type Endpoint struct {
	register *stage.Register
	floor    *live.Floor
	log      *slog.Logger
	prefix   string
	sessions string // public path of media sessions, with a slash at the end
	servers  func(participant string) []string
	passOn   func(w http.ResponseWriter, r *http.Request, process string) bool
}

// New makes an endpoint.
func New(o Options) *Endpoint {
	prefix := strings.TrimRight(o.Prefix, "/")
	public := strings.TrimRight(cmp.Or(o.PublicPath, prefix), "/")
	return &Endpoint{
		register: o.Register,
		floor:    o.Floor,
		log:      cmp.Or(o.Log, slog.New(slog.DiscardHandler)),
		prefix:   prefix,
		sessions: public + "/sessions/",
		servers:  o.Servers,
		passOn:   o.PassOn,
	}
}

// ServeHTTP implements [http.Handler].
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	allowOrigins(w.Header())
	rest, ok := strings.CutPrefix(r.URL.Path, e.prefix)
	place, id := locate(rest)
	switch {
	case !ok || place == nowhere:
		e.fail(w, r, &problem{status: http.StatusNotFound, detail: "There is nothing at this address"})
	case place == session:
		e.serveSession(w, r, id)
	case place == layer:
		e.serveLayer(w, r, id)
	default:
		e.serveDoor(w, r, place, id)
	}
}

// place is what an address under the prefix stands for.
type place int

const (
	nowhere place = iota
	publish       // id may be ""
	subscribe
	session
	layer
)

// locate reads the part of the path after the prefix.
func locate(rest string) (place, string) {
	if rest == "" || rest == "/" {
		return publish, ""
	}
	if rest[0] != '/' {
		return nowhere, ""
	}
	kind, id, _ := strings.Cut(rest[1:], "/")
	if session, ok := strings.CutSuffix(id, layerPath); ok && kind == "sessions" && session != "" && !strings.Contains(session, "/") {
		return layer, session
	}
	if id == "" || strings.Contains(id, "/") {
		return nowhere, ""
	}
	switch kind {
	case "publish":
		return publish, id
	case "subscribe":
		return subscribe, id
	case "sessions":
		return session, id
	}
	return nowhere, ""
}

// serveDoor answers on the addresses where media sessions are made.
func (e *Endpoint) serveDoor(w http.ResponseWriter, r *http.Request, where place, id string) {
	h := w.Header()
	switch r.Method {
	case http.MethodOptions:
		h.Set("Accept-Post", typeSDP)
		preflight(h, r, "POST, GET, HEAD, OPTIONS")
		if admission, err := e.admit(r); err == nil { // a preflight shows no token
			e.link(h, admission.ParticipantID)
		}
		w.WriteHeader(http.StatusNoContent)
	case http.MethodGet:
		w.WriteHeader(http.StatusNoContent)
	case http.MethodHead: // tells players that this is an endpoint (WHEP)
		h.Set("Accept-Post", typeSDP)
		h.Set("Content-Type", typeSDP)
		w.WriteHeader(http.StatusOK)
	case http.MethodPost:
		if err := e.post(w, r, where, id); err != nil {
			e.fail(w, r, patiently(r, err))
		}
	default:
		e.refuseMethod(w, r, "POST, GET, HEAD, OPTIONS")
	}
}

// post makes a media session, here or where the participant is at home. With an
// error nothing has been answered yet.
func (e *Endpoint) post(w http.ResponseWriter, r *http.Request, where place, id string) error {
	admission, err := e.admit(r)
	if err != nil {
		return err
	}
	if where == publish && id != "" && id != admission.ParticipantID {
		return &stage.Error{Kind: stage.Denied, Code: stage.CodeTokenNotAllowed, Message: "The token belongs to another participant than the address"}
	}
	elsewhere, done, err := e.floor.Home(r.Context(), admission)
	if err != nil {
		return err
	}
	defer done()
	if elsewhere != nil {
		if !e.passOn(w, r, elsewhere.ID) {
			return stage.ErrNotHeld
		}
		return nil
	}
	media, answer, err := e.open(w, r, admission, where, id)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Location", e.sessions+media.ID())
	h.Set("ETag", quote(media.ETag()))
	if media.Receives() {
		for _, relation := range []string{layerRelation, layerExtension} {
			h.Add("Link", "<"+e.sessions+media.ID()+layerPath+`>; rel="`+relation+`"`)
		}
	}
	h.Set("Accept-Patch", typeFragment)
	h.Set("Content-Type", typeSDP)
	e.link(h, admission.ParticipantID)
	w.WriteHeader(http.StatusCreated)
	io.WriteString(w, answer)
	return nil
}

// link tells a participant of ICE servers (RFC 9725, section 4.6).
func (e *Endpoint) link(h http.Header, participant string) {
	if e.servers == nil {
		return
	}
	for _, value := range e.servers(participant) {
		h.Add("Link", value)
	}
}

// open has the floor answer the offer in the request.
func (e *Endpoint) open(w http.ResponseWriter, r *http.Request, admission stage.Admission, where place, id string) (*live.Media, string, error) {
	offer, err := read(w, r, typeSDP)
	if err != nil {
		return nil, "", err
	}
	client := live.ClientOf(r.UserAgent(), r.Header.Get("X-Stages-Sdk"), r.Header.Get("X-Stages-Platform"))
	if where == publish {
		return e.floor.Publish(r.Context(), admission, client, offer)
	}
	return e.floor.Subscribe(r.Context(), admission, client, id, offer, wishes(r))
}

// wishes reads how a publication is to be received.
func wishes(r *http.Request) sfu.SubscribeOptions {
	q := r.URL.Query()
	name := q.Get("layer")
	if name == "auto" {
		name = ""
	}
	initial := cmp.Or(q.Get("initial"), r.Header.Get("X-Stages-Initial-Layer-Pref"))
	return sfu.SubscribeOptions{
		AudioOnly: q.Get("audio") == "only",
		Layer:     name,
		Highest:   strings.HasPrefix(strings.ToLower(initial), "highest"),
	}
}

// read gives the body, which has to be of the media type.
func read(w http.ResponseWriter, r *http.Request, mediaType string) (string, error) {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || got != mediaType {
		return "", &problem{status: http.StatusUnsupportedMediaType, detail: "The body has to be " + mediaType}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return "", &problem{status: http.StatusRequestEntityTooLarge, detail: "The body is longer than 64 KiB"}
	}
	if err != nil {
		return "", &problem{status: http.StatusBadRequest, detail: "The body could not be read"}
	}
	return string(body), nil
}
