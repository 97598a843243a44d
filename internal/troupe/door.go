package troupe

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"

	"callboard/internal/stage"
)

// ServeHTTP is the door for the other processes, /peer/. It answers nobody else.
func (t *Troupe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from, err := t.seal.check(r, t.Register.Process())
	if err != nil {
		t.Log.Warn("somebody at the door for other servers was refused", "error", err)
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	t.heard(from)
	switch path := r.URL.Path; path {
	case "/peer/people":
		t.withSocket(w, r, t.announce)
	case "/peer/leg":
		t.withSocket(w, r, t.host)
	case "/peer/media":
		t.tellMedia(w, r)
	case "/peer/disconnect":
		t.obey(w, r, t.disconnectHere)
	case "/peer/clear":
		t.obey(w, r, t.clearHere)
	default:
		if len(path) > len(passedOn) && path[:len(passedOn)+1] == passedOn+"/" {
			t.takeOn(w, r)
			return
		}
		http.NotFound(w, r)
	}
}

// withSocket serves a WebSocket until one side ends it, or all must end.
func (t *Troupe) withSocket(w http.ResponseWriter, r *http.Request, serve func(context.Context, *websocket.Conn)) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // the other one has been told
	}
	defer conn.CloseNow()
	ctx, cancel := context.WithCancel(t.cut)
	defer cancel()
	serve(ctx, conn)
}

// obey does what another process asks for in the query, and answers when it is done.
func (t *Troupe) obey(w http.ResponseWriter, r *http.Request, do func(context.Context, stage.ARN, url.Values) error) {
	q := r.URL.Query()
	arn, err := stage.ParseARN(q.Get("stage"))
	if err != nil || r.Method != http.MethodPost {
		http.Error(w, "this is no order", http.StatusBadRequest)
		return
	}
	if err := do(r.Context(), arn, q); err != nil {
		t.Log.Error("an order of another server could not be carried out", "path", r.URL.Path, "stage", arn, "error", err)
		http.Error(w, "it could not be done", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (t *Troupe) disconnectHere(ctx context.Context, arn stage.ARN, q url.Values) error {
	return t.floor.Disconnect(ctx, arn, q.Get("participant"), stage.Reason(q.Get("reason")), q.Get("text"))
}

func (t *Troupe) clearHere(ctx context.Context, arn stage.ARN, q url.Values) error {
	return t.floor.Clear(ctx, arn, stage.Reason(q.Get("reason")))
}

// orderTimeout bounds one attempt to have another process do something.
const orderTimeout = 8 * time.Second

// order has another process do something, and returns when it has.
func (t *Troupe) order(ctx context.Context, to stage.Process, path string, q url.Values) error {
	ctx, cancel := context.WithTimeout(ctx, orderTimeout)
	defer cancel()
	path += "?" + q.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set(sealHeader, t.seal.proof(r.Method, path, t.Register.Process(), to.ID))
	resp, err := t.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("process %s answers %s: %s", to.ID, resp.Status, text)
	}
	return nil
}

// dial opens a WebSocket to another process.
func (t *Troupe) dial(ctx context.Context, to stage.Process, path string) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, orderTimeout)
	defer cancel()
	head := http.Header{sealHeader: {t.seal.proof(http.MethodGet, path, t.Register.Process(), to.ID)}}
	conn, _, err := websocket.Dial(ctx, to.URL+path, &websocket.DialOptions{HTTPClient: t.client, HTTPHeader: head})
	return conn, err
}

// keepAlive pings until the other side is silent, and then ends the connection.
func keepAlive(ctx context.Context, conn *websocket.Conn, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		wait, cancel := context.WithTimeout(ctx, every)
		err := conn.Ping(wait)
		cancel()
		if err != nil {
			conn.CloseNow()
			return
		}
	}
}
