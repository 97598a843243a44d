package desk

import (
	"cmp"
	"context"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"callboard/internal/api"
	"callboard/internal/stage"
)

// rhythm is how watchers are served. The zero value of a member is not meant to be.
type rhythm struct {
	strip     int           // changes kept of each stage
	farthest  int64         // events that a watcher may be behind before he gets a snapshot instead
	part      int           // participants in one message of a snapshot
	pause     time.Duration // between two writes to a watcher, so that many changes go out together
	heartbeat time.Duration // between signs of life where nothing happens
	write     time.Duration // for one write
	tick      time.Duration // between two looks at sessions that may have ended
	reading   int           // watchers who read the facts by themselves at a time
}

var usual = rhythm{
	strip: 4096, farthest: 50_000, part: 200, pause: 50 * time.Millisecond, heartbeat: 15 * time.Second,
	write: 10 * time.Second, tick: time.Second, reading: 4,
}

// WatchStats counts watchers.
type WatchStats struct {
	Watchers int64 // there now
	Behind   int64 // of these, who read the facts by themselves
	Lag      int64 // events that are durable and have not reached the watched stages yet
	Fallen   int64 // times that somebody was too slow and had to read by himself
	Dropped  int64 // who were too slow even to be written to
	Refused  int64 // who were one too many
}

// WatchStats is one look at the counters.
func (d *Desk) WatchStats() WatchStats {
	g := d.gallery
	return WatchStats{
		Watchers: g.watchers.Load(), Behind: g.behind.Load(), Lag: d.reader.lag.Load(),
		Fallen: g.fallen.Load(), Dropped: g.dropped.Load(), Refused: g.refused.Load(),
	}
}

// gallery is where watchers are: how many there may be, and that all must go.
type gallery struct {
	most, mostEach int
	closing        chan struct{}
	close          sync.Once
	reading        chan struct{} // an entry for each who reads by himself

	watchers, behind, fallen, dropped, refused atomic.Int64

	mu   sync.Mutex
	each map[string]int // watchers by account
}

func newGallery(o *Options, reading int) *gallery {
	return &gallery{
		most: o.Watchers, mostEach: o.AccountWatchers,
		closing: make(chan struct{}), reading: make(chan struct{}, reading), each: map[string]int{},
	}
}

// admit takes a place, if there is one.
func (g *gallery) admit(account string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.watchers.Load() >= int64(g.most):
		g.refused.Add(1)
		return api.Refusal(http.StatusServiceUnavailable, "ServiceUnavailableException", "This server has as many watchers as it may have.")
	case g.each[account] >= g.mostEach:
		g.refused.Add(1)
		return &stage.Error{Kind: stage.Quota, Message: "The account has as many watchers as it may have"}
	}
	g.each[account]++
	g.watchers.Add(1)
	return nil
}

func (g *gallery) leave(account string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.each[account]--; g.each[account] == 0 {
		delete(g.each, account)
	}
	g.watchers.Add(-1)
}

// watching is what both watches take.
type watching struct {
	filter
	Cursor string `query:"cursor" max:"100" doc:"the id of the last message that was received; the watch goes on after it"`
	LastID string `header:"Last-Event-ID" max:"100" doc:"the same, as browsers send it by themselves; it counts if both are there"`
}

type (
	watchStageInput struct {
		Stage string `path:"stage" doc:"the id of the stage, which is the last part of its ARN"`
		watching
	}
	watchSessionInput struct {
		place
		watching
	}
)

func watchRoutes() []route {
	media := map[string]string{"text/event-stream": "Server-Sent Events; over a WebSocket the same messages come in arrays of objects with event, id and data."}
	routes := []route{
		stream("WatchStage", "/stages/{stage}/watch", "Watch the live roll of a stage, from session to session.", media, (*Desk).watchStage),
		stream("WatchSession", "/stages/{stage}/sessions/{session}/watch", "Watch the roll of one session until it ends.", media, (*Desk).watchSession),
	}
	for i := range routes {
		routes[i].messages = reflect.TypeFor[watchMessages]()
	}
	return routes
}

func (d *Desk) watchStage(ctx context.Context, c *call, in *watchStageInput) error {
	arn, err := c.stage()
	if err != nil {
		return err
	}
	if _, err := d.o.Service.Stage(ctx, c.Caller, arn); err != nil {
		return err
	}
	return d.watch(ctx, c, &watcher{arn: arn}, &in.watching)
}

func (d *Desk) watchSession(ctx context.Context, c *call, in *watchSessionInput) error {
	s, err := d.session(ctx, c, in.place)
	if err != nil {
		return err
	}
	return d.watch(ctx, c, &watcher{arn: s.Stage, only: s.ID}, &in.watching)
}

// watch serves one watcher to the end.
func (d *Desk) watch(ctx context.Context, c *call, w *watcher, in *watching) error {
	w.desk, w.call, w.filter, w.key, w.session = d, c, in.meaning(), -1, w.only
	seal := c.Seal(nil, w.arn.String(), w.only, in.text())
	w.tag = "-" + seal[len(seal)-10:]
	if cursor := cmp.Or(in.LastID, in.Cursor); cursor != "" {
		w.resume(cursor)
	}
	if w.only != "" && w.resumed && w.key%2 == 1 {
		c.Stream("").WriteHeader(http.StatusNoContent) // which keeps browsers from coming back
		return nil
	}
	if err := d.gallery.admit(c.Caller.Account); err != nil {
		return err
	}
	defer d.gallery.leave(c.Caller.Account)
	ctx, err := w.open(ctx)
	if err == nil {
		w.run(ctx)
	}
	return nil
}

// open begins the answer, in the way that the request wants it.
func (w *watcher) open(ctx context.Context) (context.Context, error) {
	r := w.call.Request
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		out := w.call.Stream("text/event-stream")
		out.Header().Set("X-Accel-Buffering", "no") // proxies would keep back what comes in small pieces
		w.out = newEventStream(out, w.desk.rhythm.write)
		return ctx, nil
	}
	// The signature says who comes, not the page he comes from.
	conn, err := websocket.Accept(w.call.Stream(""), r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return nil, err // which has been answered
	}
	w.out = &socket{conn: conn, limit: w.desk.rhythm.write}
	return conn.CloseRead(ctx), nil
}

// A cursor is the number of the last event that was told, with an e if no session of
// the watch was open after it, a hyphen, and a tag of the question: what is watched,
// with which filter. The number can be changed by whoever has the cursor; that shows
// him nothing that he could not see anyway.

// id is the cursor at a key.
func (w *watcher) id(key int64) string {
	b := strconv.AppendInt(make([]byte, 0, 32), key/2, 10)
	if key%2 == 1 {
		b = append(b, 'e')
	}
	return string(append(b, w.tag...))
}

// resume goes on after a cursor. One of another question, or none at all, makes the
// watch begin with a snapshot that says so.
func (w *watcher) resume(cursor string) {
	w.resumed = true
	text, own := strings.CutSuffix(cursor, w.tag)
	digits, closed := strings.CutSuffix(text, "e")
	no, err := strconv.ParseUint(digits, 10, 62)
	if !own || err != nil {
		w.reset, w.resumed = true, false
		return
	}
	w.key = 2 * int64(no)
	if closed {
		w.key++
	}
}
