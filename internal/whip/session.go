package whip

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"callboard/internal/live"
	"callboard/internal/sfu"
	"callboard/internal/stage"
)

var errNoSession = &problem{status: http.StatusNotFound, detail: "This media session does not exist or has ended"}

// serveSession answers on the address of one media session.
func (e *Endpoint) serveSession(w http.ResponseWriter, r *http.Request, id string) {
	const methods = "PATCH, DELETE, GET, HEAD, OPTIONS"
	if r.Method == http.MethodOptions {
		w.Header().Set("Accept-Patch", typeFragment)
		preflight(w.Header(), r, methods)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	media := e.session(w, r, id)
	if media == nil {
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		w.WriteHeader(http.StatusNoContent)
	case http.MethodDelete: // whatever the entity tag (RFC 9725, section 4.2)
		if err := e.delete(r, media); err != nil {
			e.fail(w, r, err)
			return
		}
		w.WriteHeader(http.StatusOK)
	case http.MethodPatch:
		answer, err := e.patch(w, r, media)
		if err != nil {
			e.fail(w, r, err)
			return
		}
		if answer.IsZero() { // trickled candidates: no body, and no entity tag
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("ETag", quote(media.ETag()))
		w.Header().Set("Content-Type", typeFragment)
		io.WriteString(w, answer.String())
	default:
		e.refuseMethod(w, r, methods)
	}
}

// session finds a media session; nil when somebody else has answered, or nobody knows it.
func (e *Endpoint) session(w http.ResponseWriter, r *http.Request, id string) *live.Media {
	media, ok := e.floor.Media(id)
	if ok {
		return media
	}
	if process := live.ProcessOf(id); process == "" || e.passOn == nil || !e.passOn(w, r, process) {
		e.fail(w, r, errNoSession)
	}
	return nil
}

func (e *Endpoint) delete(r *http.Request, media *live.Media) error {
	if err := e.recognise(r, media); err != nil {
		return err
	}
	return media.Close(r.Context())
}

// patch adds candidates or restarts ICE (RFC 9725, section 4.3).
func (e *Endpoint) patch(w http.ResponseWriter, r *http.Request, media *live.Media) (sfu.Fragment, error) {
	if err := e.recognise(r, media); err != nil {
		return sfu.Fragment{}, err
	}
	body, err := read(w, r, typeFragment)
	if err != nil {
		return sfu.Fragment{}, err
	}
	condition := strings.Join(r.Header.Values("If-Match"), ",")
	if condition == "" {
		return sfu.Fragment{}, &problem{status: http.StatusPreconditionRequired, detail: "If-Match has to name the ICE session"}
	}
	if !matches(condition, media.ETag()) {
		return sfu.Fragment{}, &problem{status: http.StatusPreconditionFailed, detail: "The ICE session is another one by now"}
	}
	fragment, err := sfu.ParseFragment(body)
	if err != nil {
		return sfu.Fragment{}, &problem{status: http.StatusBadRequest, detail: err.Error()}
	}
	answer, err := media.Patch(fragment)
	switch {
	case errors.Is(err, sfu.ErrClosed):
		err = errNoSession
	case errors.Is(err, sfu.ErrRestartUnsupported):
		err = &problem{status: http.StatusUnprocessableEntity, detail: "ICE could not be restarted; the session goes on as it was"}
	}
	return answer, err
}

// recognise requires the token of the participant whose session it is; it may
// have expired meanwhile, and the key of the one that opened it may be gone.
func (e *Endpoint) recognise(r *http.Request, media *live.Media) error {
	jwt, err := bearer(r)
	if err != nil {
		return err
	}
	if media.OpenedWith(jwt) {
		return nil
	}
	admission, err := e.register.Recognise(r.Context(), jwt)
	if err != nil {
		return err
	}
	arn, participant := media.Owner()
	if admission.Stage != arn || admission.ParticipantID != participant {
		return &stage.Error{Kind: stage.Denied, Code: stage.CodeTokenNotAllowed, Message: "The media session belongs to another participant"}
	}
	return nil
}

// matches tells whether an If-Match header allows for the entity tag. "*" is
// accepted in quotes too, as RFC 9725 has it in an example.
func matches(condition, etag string) bool {
	for candidate := range strings.SplitSeq(condition, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || candidate == `"*"` || candidate == quote(etag) {
			return true
		}
	}
	return false
}

func quote(etag string) string { return `"` + etag + `"` }
