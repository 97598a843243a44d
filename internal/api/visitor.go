package api

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"

	"callboard/internal/sigv4"
	"callboard/internal/stage"
)

// Visitor is who came to another door of the server than the API's own, one that
// lets in the same people by the same rules: signature, rate, policies, words of
// refusal, log line and metrics are those of an operation.
type Visitor struct {
	// Caller is who asks; zero where no signature is needed.
	Caller stage.Caller
	// Request is the request, whose body is in Body.
	Request *http.Request
	Body    []byte
	// ID is the id of the request.
	ID string

	api      *API
	identity sigv4.Identity
	by       Principal
	began    time.Time
	exchange *exchange
	w        http.ResponseWriter
	streams  bool
	gated    bool
}

// Receive answers a request to another door. action is what the visitor wants to
// do, such as "callboard:GetSession"; whether he may is for answer to ask, with
// [Visitor.May]. An action without a service, such as "GetDescription", is open to
// everybody. What answer returns is sent as JSON, nil as 204, and its error as
// that of an operation; unless it has taken the answer into its own hands, with
// [Visitor.Stream].
func (a *API) Receive(w http.ResponseWriter, r *http.Request, action string, answer func(context.Context, *Visitor) ([]byte, error)) {
	service, name, signed := strings.Cut(action, ":")
	if !signed {
		name = service
	}
	e := exchange{id: uuid.NewString(), name: name, status: http.StatusOK}
	v := &Visitor{Caller: stage.Caller{Action: action}, Request: r, ID: e.id, api: a, began: time.Now(), exchange: &e, w: w}
	body, err := v.serve(signed, answer)
	v.open()
	switch {
	case v.streams:
		if err != nil {
			a.o.Log.Error("a stream broke off", "operation", name, "request", e.id, "error", err)
		}
		return
	case err != nil:
		e.fail(err)
	case body == nil:
		e.status = http.StatusNoContent
	default:
		e.body = body
	}
	a.write(w, &e)
	a.note(r.Context(), &e, time.Since(v.began))
}

// serve finds out who comes and runs answer. A panic is an error like any other.
func (v *Visitor) serve(signed bool, answer func(context.Context, *Visitor) ([]byte, error)) (body []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if v.Body, err = v.api.readBody(v.w, v.Request); err != nil {
		return nil, err
	}
	if signed {
		if err := v.identify(); err != nil {
			return nil, err
		}
	}
	if g := v.api.o.Gate; g != nil {
		g.RLock()
		v.gated = true
	}
	return answer(v.Request.Context(), v)
}

// identify verifies the signature and has the call counted.
func (v *Visitor) identify() (err error) {
	o := &v.api.o
	if v.identity, err = o.Verifier.Verify(v.Request, v.Body); err != nil {
		return err
	}
	v.by = o.Principal(v.identity)
	v.exchange.account = v.by.Account
	v.Caller = stage.Caller{Account: v.by.Account, Region: v.identity.Region, ARN: v.by.ARN, Action: v.Caller.Action}
	if o.Throttle != nil && !o.Throttle(v.by.Account, v.identity.Region, v.exchange.name) {
		return errThrottled
	}
	return nil
}

// May tells whether the visitor's policies let him do what he came for to a
// resource; the zero ARN is none in particular.
func (v *Visitor) May(ctx context.Context, arn stage.ARN) error {
	q := inquiry{
		API: v.api, ctx: ctx, caller: v.Caller, input: &shape{},
		request: &request{Request: v.Request, by: v.by},
	}
	return q.judge(v.Caller.Action, arn)
}

// Still is May for a visitor who has stayed for some time: his key may have ended
// and his policies may have gone meanwhile.
func (v *Visitor) Still(ctx context.Context, arn stage.ARN) error {
	if err := v.api.o.Verifier.Standing(v.identity); err != nil {
		return err
	}
	v.by = v.api.o.Principal(v.identity)
	return v.May(ctx, arn)
}

// Stream takes the answer into the visitor's own hands: it will be of this media
// type and as long as it likes. The head goes out with the first write. From now on
// the operation counts as answered with 200, and the gate is open to others.
func (v *Visitor) Stream(media string) http.ResponseWriter {
	h := v.w.Header()
	for name, value := range v.api.headers {
		h[name] = value
	}
	h["X-Amzn-Requestid"] = []string{v.ID}
	if media != "" {
		h.Set("Content-Type", media)
	}
	v.streams = true
	v.open()
	v.api.note(v.Request.Context(), v.exchange, time.Since(v.began))
	return v.w
}

// open gives the gate back.
func (v *Visitor) open() {
	if v.gated {
		v.gated = false
		v.api.o.Gate.RUnlock()
	}
}

// Refusal is an error with a status and a code that the domain does not have.
func Refusal(status int, code, message string) error { return frontDoor(status, code, message) }

// sealedVersion is the first byte of a token made by [Visitor.Seal].
const sealedVersion = 2

// longestPosition is how many bytes a position in a page token may have.
const longestPosition = 512

// Seal makes a page token of a position, which says where the next page begins and
// means something only to who made it. It belongs to this visitor's account and
// region, to what he came for, and to the question, whose parts stand in about.
func (v *Visitor) Seal(position []byte, about ...string) string {
	head := append([]byte{sealedVersion}, position...)
	return base64.RawURLEncoding.EncodeToString(v.api.appendSeal(head, ask(v.Caller.Action, v.Caller, about...)))
}

// Unseal gives the position in a page token, if it is one of this question.
func (v *Visitor) Unseal(token string, about ...string) ([]byte, error) {
	encoding := base64.RawURLEncoding.Strict()
	if len(token) > encoding.EncodedLen(1+longestPosition+sealLen) {
		return nil, errToken
	}
	raw, err := encoding.DecodeString(token)
	if err != nil || len(raw) < 1+sealLen || raw[0] != sealedVersion {
		return nil, errToken
	}
	end := len(raw) - sealLen
	if !hmac.Equal(raw, v.api.appendSeal(raw[:end:end], ask(v.Caller.Action, v.Caller, about...))) {
		return nil, errToken
	}
	return raw[1:end], nil
}
