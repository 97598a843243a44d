package desk

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"callboard/internal/sigv4"
	"callboard/internal/stage"
)

// dial opens a watch over a WebSocket.
func (w *world) dial(url string) *websocket.Conn {
	w.t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	w.check(err)
	sigv4.Sign(r, nil, testKey, testRegion, "ivs", w.clock())
	conn, _, err := websocket.Dial(w.t.Context(), url, &websocket.DialOptions{HTTPHeader: r.Header})
	w.check(err)
	w.t.Cleanup(func() { conn.CloseNow() })
	return conn
}

func TestAWebSocketTellsTheSameInArraysOfMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	conn := w.dial(base + watchPath(ann))
	var heard []string
	until := func(name string) (last message) {
		t.Helper()
		for {
			_, frame, err := conn.Read(t.Context())
			w.check(err)
			var list []message
			w.check(json.Unmarshal(frame, &list))
			for _, m := range list {
				if m.Event != heartbeat {
					heard, last = append(heard, m.Event), m
				}
			}
			if last.Event == name {
				return last
			}
		}
	}
	until(caughtUp)
	bob := w.join(ann.Stage, "bob")
	if m := until(joined); !strings.Contains(string(m.Data), bob.ParticipantID) || m.ID == "" {
		t.Errorf("bob's join is %s %s", m.ID, m.Data)
	}
	w.Desk.Close()
	until(goodbye)
	if got := strings.Join(heard, " "); got != "snapshot caught-up joined goodbye" {
		t.Errorf("heard were %s", got)
	}
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the socket ends with %v", err)
	}
}

// sleeper opens a watch and reads nothing.
func (w *world) sleeper(base, path string) net.Conn {
	w.t.Helper()
	r, err := http.NewRequest("GET", base+path, nil)
	w.check(err)
	sigv4.Sign(r, nil, testKey, testRegion, "ivs", w.clock())
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	w.check(err)
	w.check(conn.(*net.TCPConn).SetReadBuffer(4096))
	w.t.Cleanup(func() { conn.Close() })
	w.check(r.Write(conn))
	return conn
}

func TestWhoDoesNotReadIsDroppedAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	how := hurry
	how.write = 500 * time.Millisecond
	w := newWorldWith(t, how, func(*Options) {})
	base := w.serve()
	ann := w.join(w.newStage(), strings.Repeat("a", 128))
	v := w.view(t, base+watchPath(ann), "")
	v.until(caughtUp)
	w.sleeper(base, watchPath(ann))
	bob := w.join(ann.Stage, strings.Repeat("b", 128))
	v.until(joined)
	for w.WatchStats().Dropped == 0 {
		for range 50 {
			w.record(bob, stage.PublishStarted, stage.PublishStopped)
		}
		no, _ := w.service.Latest()
		for v.no() < no {
			v.until(unpublished)
		}
	}
	if s := w.WatchStats(); s.Watchers > 2 {
		t.Errorf("counted are %+v", s)
	}
}

func TestWhoIsTooSlowReadsByHimselfAndMissesNothing(t *testing.T) {
	t.Parallel()
	how := hurry
	how.strip, how.pause = 4, 200*time.Millisecond
	w := newWorldWith(t, how, func(*Options) {})
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	v := w.view(t, base+watchPath(ann), "")
	v.until(caughtUp)
	for i := range 100 {
		w.join(ann.Stage, fmt.Sprint(i))
	}
	for range 100 {
		v.until(joined)
	}
	if len(v.roll) != 101 || w.WatchStats().Fallen == 0 {
		t.Errorf("%d are in the roll; counted are %+v", len(v.roll), w.WatchStats())
	}
}

func TestWhoIsFarBehindGetsASnapshot(t *testing.T) {
	t.Parallel()
	how := hurry
	how.farthest = 20
	w := newWorldWith(t, how, func(*Options) {})
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	v := w.view(t, base+watchPath(ann), "")
	v.until(caughtUp)
	v.close()
	for range 300 {
		w.record(ann, stage.PublishStarted, stage.PublishStopped)
	}
	again := w.view(t, base+watchPath(ann), v.id)
	for again.until(snapshotPart); again.heard[len(again.heard)-1] != caughtUp; {
		again.next()
	}
	if len(again.roll) != 1 {
		t.Errorf("%d are in the roll", len(again.roll))
	}
}

func TestAfterTheFactsWereForgottenWatchersAreToldGoodbye(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	v := w.view(t, base+watchPath(ann), "")
	v.until(caughtUp)
	w.check(w.service.Reset(t.Context(), func() {}))
	w.Forget()
	if m := v.until(goodbye); !strings.Contains(string(m.Data), "gone") {
		t.Errorf("goodbye has %s", m.Data)
	}
	if _, err := io.ReadAll(v.lines); err != nil {
		t.Error(err)
	}
}
