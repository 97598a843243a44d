package stage_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callboard/internal/stage"
)

func (w *world) active(arn stage.ARN) string {
	w.t.Helper()
	s, err := w.Stage(w.t.Context(), w.caller, arn)
	w.check(err)
	return s.ActiveSessionID
}

func TestSessionLivesFromTheFirstJoinToTheEndOfTheLinger(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	w.token(arn, "")
	if id := w.active(arn); id != "" {
		t.Fatalf("a token alone began session %s", id)
	}
	e := w.join(arn, "")
	if w.active(arn) != e.SessionID || len(e.SessionID) != 16 {
		t.Fatalf("active %q, joined %q", w.active(arn), e.SessionID)
	}
	w.pass(time.Second)
	w.record(e, stage.Left)
	left := w.clock()
	w.pass(linger - time.Second)
	if again := w.join(arn, ""); again.SessionID != e.SessionID {
		t.Errorf("a join within the linger began a new session")
	} else {
		w.record(again, stage.Left)
		left = w.clock()
	}
	w.pass(linger)
	if id := w.active(arn); id != e.SessionID {
		t.Errorf("it is told that the session is over, which is on no record: %q", id)
	}
	w.check(w.Sweep(t.Context()))
	if id := w.active(arn); id != "" {
		t.Errorf("session %s outlives its linger", id)
	}
	ended, err := w.Session(t.Context(), w.caller, arn, e.SessionID)
	w.check(err)
	if !ended.Ended.Equal(left) {
		t.Errorf("ended %v, last left %v", ended.Ended, left)
	}
	if next := w.join(arn, ""); next.SessionID == e.SessionID {
		t.Error("a join after the end continued the session")
	}
	list, _, err := w.Sessions(t.Context(), w.caller, arn, stage.Page{Limit: 10})
	w.check(err)
	if len(list) != 2 || list[1].ID != e.SessionID || !list[0].Ended.IsZero() {
		t.Errorf("sessions are %+v", list)
	}
}

func TestSweepWritesDownWhatTheLingerEnded(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	idle, busy := w.join(arn, ""), w.join(w.stage(), "")
	w.record(idle, stage.Left)
	w.pass(linger)
	w.check(w.Sweep(t.Context()))
	err := w.store.View(t.Context(), func(tx stage.Tx) error {
		live, err := tx.Sessions(stage.SessionQuery{Limit: 10})
		if len(live) != 1 || live[0].ID != busy.SessionID {
			t.Errorf("live sessions are %+v", live)
		}
		return err
	})
	w.check(err)
}

func TestNobodyIsConnectedAfterACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "callboard.db")
	w := newWorldWith(t, path, stage.Quotas{})
	arn := w.stage()
	host, viewer, gone := w.join(arn, "host"), w.join(arn, "viewer"), w.join(arn, "gone")
	w.record(host, stage.PublishStarted)
	w.check(w.Record(t.Context(), viewer,
		stage.Fact{Name: stage.SubscribeStarted, Remote: "X"},
		stage.Fact{Name: stage.SubscribeStopped, Remote: "X"},
		stage.Fact{Name: stage.SubscribeStarted, Remote: host.ParticipantID}))
	w.record(gone, stage.Left)
	w.pass(time.Minute)
	w.check(w.Sweep(t.Context())) // notes that the server is alive
	died := w.clock()
	w.check(w.store.Close()) // as good as dead: nobody said goodbye

	w = newWorldWith(t, path, stage.Quotas{})
	w.now = died.Add(time.Hour)
	w.check(w.Recover(t.Context()))
	yes := true
	if list := w.roll(stage.Roll{Stage: arn, SessionID: host.SessionID, Connected: &yes}, 50); len(list) != 0 {
		t.Errorf("still connected: %+v", list)
	}
	if got := strings.Join(w.events(host), " "); got != "LEFT PUBLISH_STOPPED PUBLISH_STARTED JOINED" {
		t.Errorf("the host's events are %s", got)
	}
	if got := strings.Join(w.events(viewer)[:2], " "); got != "LEFT SUBSCRIBE_STOPPED"+host.ParticipantID {
		t.Errorf("the viewer's events are %s", got)
	}
	if got := strings.Join(w.events(gone), " "); got != "LEFT JOINED" {
		t.Errorf("events of the one who had left are %s", got)
	}
	s, err := w.Session(t.Context(), w.caller, arn, host.SessionID)
	w.check(err)
	if !s.Ended.Equal(died) {
		t.Errorf("session ended %v, the server died %v", s.Ended, died)
	}
	w.check(w.Recover(t.Context()))
	if n := len(w.events(host)); n != 4 {
		t.Errorf("recovering again made it %d events", n)
	}
}

func TestASessionThatEverybodyHadLeftGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "callboard.db")
	w := newWorldWith(t, path, stage.Quotas{})
	short, long := w.token(w.stage(), ""), w.stage()
	before, missed := w.enter(short.JWT), w.join(long, "")
	w.record(before, stage.Left)
	w.record(missed, stage.Left)
	left := w.clock()
	w.check(w.store.Close())

	w = newWorldWith(t, path, stage.Quotas{})
	w.now = left.Add(linger / 2)
	w.check(w.Recover(t.Context()))
	after := w.enter(short.JWT)
	if after.SessionID != before.SessionID {
		t.Errorf("the session was %s and is %s", before.SessionID, after.SessionID)
	}
	if got := strings.Join(w.events(after), " "); got != "JOINED LEFT JOINED" {
		t.Errorf("events are %s", got)
	}
	w.pass(linger)
	w.check(w.Sweep(t.Context()))
	s, err := w.Session(t.Context(), w.caller, long, missed.SessionID)
	if w.check(err); !s.Ended.Equal(left) {
		t.Errorf("the session that nobody came back to ended at %v; everybody had left at %v", s.Ended, left)
	}
}

func TestJoinedAndLeftAlternate(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	token := w.token(arn, "")
	e := w.enter(token.JWT)
	w.enter(token.JWT) // the same again, while connected
	w.record(e, stage.Left)
	w.record(e, stage.Left)
	w.record(e, stage.PublishStarted) // too late to count
	if got := strings.Join(w.events(e), " "); got != "LEFT JOINED" {
		t.Errorf("events are %s", got)
	}
	s, err := w.Session(t.Context(), w.caller, arn, e.SessionID)
	w.check(err)
	if s.Connected != 0 {
		t.Errorf("%d are counted as connected", s.Connected)
	}
}
