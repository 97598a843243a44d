package presence

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/coder/websocket"

	"callboard/internal/stage"
)

// Close codes of our own, beside those of RFC 6455.
const (
	closeReused       websocket.StatusCode = 4001
	closeDeleted      websocket.StatusCode = 4002
	closeDisconnected websocket.StatusCode = 4003
	closeExchange     websocket.StatusCode = 4004
	closeMalformed    websocket.StatusCode = 4400
	closeExpired      websocket.StatusCode = 4401
	closeNotAllowed   websocket.StatusCode = 4403
	closeNotFound     websocket.StatusCode = 4404
	closeDead         websocket.StatusCode = 4408
	closeTooMany      websocket.StatusCode = 4429
	closeAtCapacity   websocket.StatusCode = 4503
)

const internalError = http.StatusInternalServerError

// problem is a refusal, in the words of both protocols.
type problem struct {
	status int
	close  websocket.StatusCode
	code   string // in the words of the IVS client SDKs
	detail string
}

// explain says what an error is to a client.
func explain(err error) problem {
	e, ok := errors.AsType[*stage.Error](err)
	if !ok {
		e = &stage.Error{Kind: stage.Internal}
	}
	p := problem{code: e.Code, detail: e.Message}
	switch e.Kind {
	case stage.Invalid:
		p.status, p.close = http.StatusBadRequest, closeMalformed
	case stage.Unauthenticated:
		p.status, p.close = http.StatusUnauthorized, closeMalformed
		if e.Code == stage.CodeTokenExpired {
			p.close = closeExpired
		}
	case stage.Denied:
		p.status, p.close = http.StatusForbidden, closeNotAllowed
		if e.Code == stage.CodeParticipantDisconnected {
			p.close = closeDisconnected
		}
	case stage.NotFound:
		p.status, p.close = http.StatusNotFound, closeNotFound
	case stage.Conflict:
		p.status, p.close = http.StatusConflict, websocket.StatusTryAgainLater
	case stage.Quota:
		p.status, p.close = http.StatusServiceUnavailable, closeAtCapacity
	default:
		p.status, p.close = internalError, websocket.StatusInternalError
		p.code, p.detail = "FAILED", "The server failed; it is not the request's fault"
	}
	return p
}

// refuse answers a request that is not let through the handshake, as RFC 9457 problem details.
func (e *Endpoint) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := explain(err)
	if p.status == internalError && r.Context().Err() == nil {
		e.Log.Error("a presence request failed", "error", err)
	}
	h := w.Header()
	switch p.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	}
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.status)
	json.NewEncoder(w).Encode(map[string]any{ // a client that is gone needs no error
		"type":   "about:blank",
		"title":  http.StatusText(p.status),
		"status": p.status,
		"detail": p.detail,
		"code":   p.code,
	})
}
