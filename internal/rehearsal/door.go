package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	maxBody  = 4 << 10          // bytes of a request
	patience = 30 * time.Second // for a reset, or for the facts to agree with the clock
)

// Options are what a Door is built from. All are required but Seed.
type Options struct {
	Clock *Clock
	// Sweep makes the facts agree with the clock: what is over by now, ends.
	Sweep func(context.Context) error
	// Reset brings everything back to the state after the start. It is called
	// once at a time.
	Reset func(context.Context) error
	// Seed gives what there has been from the start, for the one who asks; nil
	// when there was nothing.
	Seed func(*http.Request) (any, error)
	Log  *slog.Logger
}

// Door answers under a prefix that is stripped before:
//
//	GET  clock    the time of the facts
//	POST clock    {"advance": "13h"} or {"at": "2030-01-02T03:04:05Z"}
//	POST reset    begin anew
//	GET  seed     what there has been from the start
//
// An error is JSON with a message. It is safe for concurrent use: what changes
// something is done one after another.
type Door struct {
	Options
	routes map[string]map[string]serve // by path and method
	busy   sync.Mutex                  // held by who changes something
}

// serve gives what is answered as JSON; nil is an empty answer.
type serve func(*http.Request) (any, error)

// NewDoor makes a door.
func NewDoor(o Options) *Door {
	d := &Door{Options: o}
	d.routes = map[string]map[string]serve{
		"clock": {http.MethodGet: d.readClock, http.MethodPost: d.setClock},
		"reset": {http.MethodPost: d.reset},
		"seed":  {http.MethodGet: d.seed},
	}
	return d
}

// refusal is what went wrong with the request itself.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return r.message }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// ServeHTTP answers one request.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := d.find(w, r)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/json")
	status := http.StatusOK
	if err != nil {
		status, answer = d.explain(r, err)
	}
	if answer == nil {
		h.Del("Content-Type")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer) // an error here means that nobody listens any more
}

func (d *Door) find(w http.ResponseWriter, r *http.Request) (any, error) {
	methods, ok := d.routes[r.URL.Path]
	if !ok {
		return nil, refuse(http.StatusNotFound, "There is nothing here but clock, reset and seed.")
	}
	run, ok := methods[r.Method]
	if !ok {
		for method := range methods {
			w.Header().Add("Allow", method)
		}
		return nil, refuse(http.StatusMethodNotAllowed, "%s means nothing here.", r.Method)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	return run(r)
}

func (d *Door) explain(r *http.Request, err error) (int, any) {
	status, message := http.StatusInternalServerError, "The server failed: "+err.Error()
	if e, ok := errors.AsType[*refusal](err); ok {
		status, message = e.status, e.message
	} else {
		d.Log.Error("a request of a test failed", "path", r.URL.Path, "error", err)
	}
	return status, map[string]string{"message": message}
}

// decode reads a JSON object strictly into v; no body leaves v as it is.
func decode(r *http.Request, v any) error {
	body := json.NewDecoder(r.Body)
	body.DisallowUnknownFields()
	err := body.Decode(v)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		if _, more := body.Token(); errors.Is(more, io.EOF) {
			return nil
		}
		err = errors.New("something follows the object")
	}
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return refuse(http.StatusRequestEntityTooLarge, "The body has more than %d bytes.", maxBody)
	}
	return refuse(http.StatusBadRequest, "The body is not what is expected: %v.", err)
}

// reading is what the clock shows.
type reading struct {
	Now   string `json:"now"`
	Ahead string `json:"ahead"`
}

func (d *Door) readClock(*http.Request) (any, error) {
	return reading{d.Clock.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00"), d.Clock.Ahead().String()}, nil
}

func (d *Door) setClock(r *http.Request) (any, error) {
	var want struct {
		Advance *string    `json:"advance"`
		At      *time.Time `json:"at"`
	}
	if err := decode(r, &want); err != nil {
		return nil, err
	}
	d.busy.Lock()
	defer d.busy.Unlock()
	var by time.Duration
	var err error
	switch {
	case (want.Advance == nil) == (want.At == nil):
		return nil, refuse(http.StatusBadRequest, `The body must be {"advance": "13h"} or {"at": "2030-01-02T03:04:05Z"}.`)
	case want.At != nil:
		by = want.At.Sub(d.Clock.Now())
	default:
		by, err = time.ParseDuration(*want.Advance)
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "advance is %.50q; it must be a duration such as 90s, 13h or 13h30m.", *want.Advance)
	}
	if err := d.Clock.Advance(by); err != nil {
		return nil, refuse(http.StatusBadRequest, "%v.", err)
	}
	d.Log.Info("the clock was set ahead", "ahead", d.Clock.Ahead())
	ctx, cancel := toTheEnd(r)
	defer cancel()
	if err := d.Sweep(ctx); err != nil {
		return nil, err
	}
	return d.readClock(r)
}

func (d *Door) reset(r *http.Request) (any, error) {
	if err := decode(r, &struct{}{}); err != nil {
		return nil, err
	}
	d.busy.Lock()
	defer d.busy.Unlock()
	ctx, cancel := toTheEnd(r)
	defer cancel()
	if err := d.Reset(ctx); err != nil {
		return nil, err
	}
	d.Log.Info("everything is as it was after the start")
	return nil, nil
}

func (d *Door) seed(r *http.Request) (any, error) {
	if d.Seed == nil {
		return nil, refuse(http.StatusNotFound, "This server was started without a seed.")
	}
	return d.Seed(r)
}

// toTheEnd is the context of a change that a caller who hangs up must not leave
// halfway.
func toTheEnd(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), patience)
}
