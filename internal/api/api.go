package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"callboard/internal/sigv4"
	"callboard/internal/stage"
)

const (
	maxBody = 1 << 20          // bytes of a request body
	timeout = 30 * time.Second // for one request, after its body has arrived
)

// Options are what an API is built from. All members without a remark are required.
type Options struct {
	Service  *stage.Service
	Verifier *sigv4.Verifier
	// Principal tells whose access key signed a request, and what that may do.
	Principal func(sigv4.Identity) Principal
	// Proxies are whose word about where a request came from is taken. Optional.
	Proxies []netip.Prefix
	// Throttle counts a call whose signature was good, and tells whether it may go
	// on; one that may not is answered 429. Optional.
	Throttle func(account, region, operation string) bool
	// PageKey keys the page tokens. Tokens stay valid for as long as it is the same.
	PageKey []byte
	Log     *slog.Logger
	// Plain says that clients reach this server over plain HTTP: responses
	// then do not ask browsers to insist on HTTPS.
	Plain bool
	// BasePath is put before every route ("/base" makes "/base/GetStage").
	// It is part of what clients sign. Optional.
	BasePath string
	// Endpoints tells the URLs under which the sender of a request reaches the
	// server; the zero value, or no function, stands for the server's own. Optional.
	Endpoints func(*http.Request) stage.Endpoints
	// Gate is held for reading while an operation runs, though not while its
	// request arrives; who holds it for writing has the facts for himself. Optional.
	Gate *sync.RWMutex
	// Observe is told about every answered request; operation is "unknown" for
	// requests that reached none. Optional.
	Observe func(operation string, status int, d time.Duration)
}

// API answers the control API. It is an http.Handler, safe for concurrent use,
// and starts no goroutine.
//
// It is meant to get every request that no other part of the server wants:
// what it does not know it answers as the service's front door does, with 403
// MissingAuthenticationTokenException. Hand requests over by comparing
// r.URL.Path; an http.ServeMux in front of it would redirect paths it finds
// untidy, and a redirected request no longer fits its signature.
type API struct {
	service    *stage.Service
	o          Options
	operations map[string]*operation // by "METHOD /path"
	paths      map[string]bool
	headers    []headerLine  // of every response
	buffers    sync.Pool     // of *[]byte, for response bodies
	sealers    sync.Pool     // of *sealer
	large      chan struct{} // an entry for each large body that is being read
}

// New builds an API.
func New(o Options) *API {
	a := &API{
		service:    o.Service,
		o:          o,
		operations: map[string]*operation{},
		paths:      map[string]bool{},
		headers:    commonHeaders(o.Plain),
		buffers:    sync.Pool{New: func() any { return new([]byte) }},
		sealers:    sync.Pool{New: func() any { return newSealer(o.PageKey) }},
		large:      make(chan struct{}, maxLarge),
	}
	a.o.BasePath = strings.TrimSuffix(o.BasePath, "/")
	for _, op := range table() {
		a.operations[op.method+" "+op.path] = &op
		a.paths[op.path] = true
	}
	return a
}

// maxPooled is the largest buffer worth keeping: a full page of participants.
const maxPooled = 64 << 10

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	buf := a.buffers.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= maxPooled {
			a.buffers.Put(buf)
		}
	}()

	e := exchange{id: newRequestID(), name: "unknown", status: http.StatusOK, body: (*buf)[:0]}
	a.answer(&e, w, r)
	a.write(w, &e)
	*buf = e.body
	a.note(r.Context(), &e, time.Since(began))
}

// exchange is one request while it is answered.
type exchange struct {
	id      string
	name    string // of the operation
	account string
	status  int
	code    string // x-amzn-ErrorType; "" when all went well
	allow   bool   // answer to a CORS preflight
	body    []byte
	cause   error // what the operator should know
}

// answer fills in e. A panic is answered as any other fault of ours.
func (a *API) answer(e *exchange, w http.ResponseWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			e.fail(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	path, resource := a.route(r)
	if r.Method == http.MethodOptions && a.paths[path] {
		e.status, e.allow = http.StatusNoContent, true
		return
	}
	op, ok := a.operations[r.Method+" "+path]
	if !ok {
		e.fail(errNoToken)
		return
	}
	e.name = op.name
	body, err := a.readBody(w, r)
	if err != nil {
		e.fail(err)
		return
	}
	if err := a.serve(e, op, &request{Request: r, body: body, resource: resource}); err != nil {
		e.fail(err)
	}
}

// serve verifies the signature, has the call counted, and runs the operation.
func (a *API) serve(e *exchange, op *operation, r *request) error {
	identity, err := a.o.Verifier.Verify(r.Request, r.body)
	if err != nil {
		return err
	}
	r.op, r.by = op, a.o.Principal(identity)
	e.account = r.by.Account
	if a.o.Throttle != nil && !a.o.Throttle(e.account, identity.Region, op.name) {
		return errThrottled
	}
	caller := stage.Caller{Account: r.by.Account, Region: identity.Region, ARN: r.by.ARN, Action: "ivs:" + op.name}
	if a.o.Endpoints != nil {
		caller.Endpoints = a.o.Endpoints(r.Request)
	}
	if a.o.Gate != nil {
		a.o.Gate.RLock()
		defer a.o.Gate.RUnlock()
	}
	ctx := &limit{Context: r.Context(), deadline: time.Now().Add(timeout)}
	defer ctx.over()
	body, err := op.serve(ctx, a, caller, r, e.body)
	if err != nil {
		return err
	}
	e.body = body
	return nil
}

// route gives the path of a request as the table knows it and, for the tag
// operations, the resource named in it. It looks at the path as it was sent,
// escapes and all: SDKs escape the slash of an ARN, people do not.
func (a *API) route(r *http.Request) (path, resource string) {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), a.o.BasePath)
	if !ok {
		return "", ""
	}
	if rest, ok := strings.CutPrefix(path, tagsPath); ok {
		resource, err := url.PathUnescape(rest)
		if err != nil {
			return "", ""
		}
		return tagsPath, resource
	}
	return path, ""
}

// note leaves the one line in the log, and the one observation, of a request.
// Ordinary requests are many and logged for debugging only.
func (a *API) note(ctx context.Context, e *exchange, d time.Duration) {
	if a.o.Observe != nil {
		a.o.Observe(e.name, e.status, d)
	}
	level := slog.LevelDebug
	switch {
	case errors.Is(e.cause, context.Canceled): // the caller went away
	case e.cause != nil:
		level = slog.LevelError
	case e.status == http.StatusNotImplemented:
		level = slog.LevelInfo
	}
	if !a.o.Log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("operation", e.name), slog.Int("status", e.status), slog.String("request", e.id),
		slog.String("account", e.account), slog.Duration("took", d),
	}
	if e.code != "" {
		attrs = append(attrs, slog.String("code", e.code))
	}
	if e.cause != nil {
		attrs = append(attrs, slog.Any("error", e.cause))
	}
	a.o.Log.LogAttrs(ctx, level, "api request", attrs...)
}
