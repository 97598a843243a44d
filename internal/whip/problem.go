package whip

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"callboard/internal/sfu"
	"callboard/internal/stage"
)

// problem is a refusal of the door itself.
type problem struct {
	status int
	code   string // in the words of the IVS client SDKs; may be ""
	detail string
}

func (p *problem) Error() string { return p.detail }

// admit verifies the token for something new.
func (e *Endpoint) admit(r *http.Request) (stage.Admission, error) {
	jwt, err := bearer(r)
	if err != nil {
		return stage.Admission{}, err
	}
	return e.register.Admit(r.Context(), jwt)
}

func bearer(r *http.Request) (string, error) {
	scheme, jwt, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if jwt = strings.TrimSpace(jwt); !strings.EqualFold(scheme, "Bearer") || jwt == "" {
		return "", &problem{
			status: http.StatusUnauthorized,
			code:   stage.CodeTokenMalformed,
			detail: "A participant token is needed: Authorization: Bearer <token>",
		}
	}
	return jwt, nil
}

// fail answers with an error, as RFC 9457 problem details.
func (e *Endpoint) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := explain(err)
	if p.status == http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		e.log.Error("a media request failed", "method", r.Method, "error", err)
	}
	h := w.Header()
	switch p.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusConflict, http.StatusTooManyRequests:
		h.Set("Retry-After", "2")
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.status)
	json.NewEncoder(w).Encode(map[string]any{ // a client that is gone needs no error
		"type":   "about:blank",
		"title":  http.StatusText(p.status),
		"status": p.status,
		"detail": p.detail,
		"code":   p.code,
	})
}

// explain says what an error is in HTTP.
func explain(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	e, ok := errors.AsType[*stage.Error](err)
	if !ok || e.Kind == stage.Internal {
		return &problem{status: http.StatusInternalServerError, detail: "The server failed; it is not the request's fault"}
	}
	return &problem{status: status(e), code: e.Code, detail: e.Message}
}

// patiently has Amazon's SDKs come back when what they want is not there yet:
// after a 429 they do, after a 409 they give up (docs/interop.md).
func patiently(r *http.Request, err error) error {
	p := explain(err)
	if p.status != http.StatusConflict || r.Header.Get("X-Stages-Sdk") == "" {
		return err
	}
	return &problem{status: http.StatusTooManyRequests, code: p.code, detail: p.detail}
}

func status(e *stage.Error) int {
	switch e.Kind {
	case stage.Unauthenticated:
		return http.StatusUnauthorized
	case stage.Denied:
		return http.StatusForbidden
	case stage.NotFound:
		return http.StatusNotFound
	case stage.Conflict:
		return http.StatusConflict
	case stage.Quota:
		return http.StatusServiceUnavailable
	}
	if offer, ok := errors.AsType[*sfu.OfferError](e); ok && offer.Code != sfu.Malformed {
		return http.StatusUnprocessableEntity // an SDP, but not one to go on with
	}
	return http.StatusBadRequest
}

func (e *Endpoint) refuseMethod(w http.ResponseWriter, r *http.Request, methods string) {
	w.Header().Set("Allow", methods)
	e.fail(w, r, &problem{status: http.StatusMethodNotAllowed, detail: r.Method + " means nothing here"})
}
