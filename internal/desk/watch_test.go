package desk

import (
	"strings"
	"testing"
	"time"

	"callboard/internal/stage"
)

func watchPath(e stage.Entry, pairs ...string) string { return at(e, "/watch") + query(pairs...) }

func stagePath(arn stage.ARN, pairs ...string) string {
	return Root + "/stages/" + arn.ID + "/watch" + query(pairs...)
}

func TestAWatchTellsTheRollAndThenWhatHappens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	v := w.view(t, base+watchPath(ann), "")
	v.until(caughtUp)
	if len(v.roll) != 1 || v.roll[ann.ParticipantID].UserID != "ann" || v.session != ann.SessionID {
		t.Fatalf("the roll is %s of %s", v.text(), v.session)
	}
	bob := w.join(ann.Stage, "bob")
	v.until(joined)
	w.record(bob, stage.PublishStarted)
	v.until(published)
	w.record(bob, stage.PublishStopped, stage.Left)
	v.until(left)
	if p := v.roll[bob.ParticipantID]; p.State != "DISCONNECTED" || !p.Published || p.JoinSequence != 2 {
		t.Errorf("bob is %+v", p)
	}
	if got := strings.Join(v.heard, " "); got != "snapshot caught-up joined published unpublished left" {
		t.Errorf("heard were %s", got)
	}
}

func TestWhoBeginsOrCeasesToMatchEntersOrLeavesTheView(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	v := w.view(t, base+watchPath(ann, "published", "true", "state", "CONNECTED"), "")
	v.until(caughtUp)
	w.join(ann.Stage, "bob") // of no concern
	w.record(ann, stage.PublishStarted)
	if m := v.until(published); !strings.Contains(string(m.Data), `"view":"entered"`) {
		t.Errorf("ann published: %s", m.Data)
	}
	w.record(ann, stage.Left)
	if m := v.until(left); !strings.Contains(string(m.Data), `"view":"exited"`) || len(v.roll) != 0 {
		t.Errorf("ann left: %s", m.Data)
	}
}

func TestAWatchGoesOnAfterItsCursorWithoutAGapAndWithoutRepeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	v := w.view(t, base+watchPath(ann), "")
	v.until(caughtUp)
	v.close()
	for range 200 { // more than the strip has
		w.join(ann.Stage, "x")
	}
	again := w.view(t, base+watchPath(ann), v.id)
	again.until(caughtUp)
	if len(again.heard) != 201 || len(again.roll) != 200 || again.heard[0] != joined {
		t.Errorf("%d are in the roll, %d messages were heard, %s first", len(again.roll), len(again.heard), again.heard[0])
	}
	w.join(ann.Stage, "bob")
	again.until(joined)
	third := w.view(t, base+watchPath(ann)+"cursor="+again.id, "")
	third.until(caughtUp)
	if len(third.heard) != 1 {
		t.Errorf("after the last cursor %v are heard", third.heard)
	}
}

func TestNothingOfAnErasedUserStaysInMemoryForWatchersWhoGoOnWithoutAGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	v := w.view(t, base+watchPath(ann), "")
	v.until(caughtUp)
	bob := w.join(ann.Stage, "bob")
	w.record(bob, stage.Left)
	v.until(left)
	w.ask("POST", "/erasures", `{"userId":"bob"}`, &struct{}{})
	w.reader.mu.Lock()
	for _, s := range w.reader.strips {
		for _, e := range s.entries {
			if strings.Contains(string(e.data), "bob") {
				t.Errorf("in memory is %s", e.data)
			}
		}
	}
	w.reader.mu.Unlock()
	w.join(ann.Stage, "zoë")
	v.until(joined)
	if got := strings.Join(v.heard, " "); got != "snapshot caught-up joined left joined" {
		t.Errorf("heard were %s", got)
	}
}

func TestACursorThatIsNotOneOfThisWatchBeginsWithAResetSnapshot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	v := w.view(t, base+watchPath(ann), "")
	v.until(caughtUp)
	_, tag, _ := strings.Cut(v.id, "-")
	for name, cursor := range map[string]string{
		"of another filter": w.cursorOf(t, base+watchPath(ann, "state", "CONNECTED")),
		"made up":           "12-nothing",
		"of the future":     "1000000-" + tag,
		"no number":         "x-" + tag,
	} {
		other := w.view(t, base+watchPath(ann), cursor)
		if m := other.until(snapshotPart); !strings.Contains(string(m.Data), `"reset":true`) {
			t.Errorf("one %s begins with %s", name, m.Data)
		}
		other.until(caughtUp)
		if other.text() != v.text() {
			t.Errorf("after one %s the roll is %s", name, other.text())
		}
	}
}

func (w *world) cursorOf(t *testing.T, url string) string {
	v := w.view(t, url, "")
	v.until(caughtUp)
	return v.id
}

func TestAStageIsWatchedFromSessionToSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.serve()
	arn := w.newStage()
	v := w.view(t, base+stagePath(arn), "")
	v.until(caughtUp)
	if v.session != "" || len(v.roll) != 0 {
		t.Fatalf("an empty stage has session %q and the roll %s", v.session, v.text())
	}
	ann := w.join(arn, "ann")
	v.until(joined)
	if v.session != ann.SessionID {
		t.Errorf("the session is %s", v.session)
	}
	w.record(ann, stage.Left)
	v.until(left)
	w.pass(time.Minute)
	w.check(w.register.Sweep(t.Context()))
	v.until(sessionEnded)
	id := v.id
	bob := w.join(arn, "bob")
	v.until(joined)
	if v.session != bob.SessionID || len(v.roll) != 1 {
		t.Errorf("the session is %s with %s", v.session, v.text())
	}
	if got := strings.Join(v.heard, " "); got != "snapshot caught-up session-started joined left session-ended session-started joined" {
		t.Errorf("heard were %s", got)
	}
	again := w.view(t, base+stagePath(arn), id)
	again.until(caughtUp)
	if got := strings.Join(again.heard, " "); got != "session-started joined caught-up" {
		t.Errorf("after the end of the first session were heard %s", got)
	}
}

func TestTheEndOfASessionIsToldBeforeTheNextOneEvenIfNobodyLooked(t *testing.T) {
	t.Parallel()
	how := hurry
	how.tick = time.Hour
	w := newWorldWith(t, how, func(*Options) {})
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	one, all := w.view(t, base+watchPath(ann), ""), w.view(t, base+stagePath(ann.Stage), "")
	one.until(caughtUp)
	all.until(caughtUp)
	id := all.id
	w.record(ann, stage.Left)
	w.pass(time.Minute)
	w.join(ann.Stage, "bob")
	for _, v := range []*viewer{one, all, w.view(t, base+stagePath(ann.Stage), id), w.view(t, base+watchPath(ann), one.id)} {
		if m := v.until(sessionEnded); !strings.Contains(string(m.Data), ann.SessionID) {
			t.Errorf("ended has %s", m.Data)
		}
	}
	if m := one.until(goodbye); !strings.Contains(string(m.Data), "ended") {
		t.Errorf("the watch of the session says goodbye with %s", m.Data)
	}
	all.until(joined)
}

func TestTheWatchOfASessionThatHasEndedEndsAndDoesNotComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	w.record(ann, stage.Left)
	w.pass(time.Minute)
	w.join(ann.Stage, "bob")
	v := w.view(t, base+watchPath(ann), "")
	v.until(goodbye)
	if got := strings.Join(v.heard, " "); got != "snapshot caught-up session-ended goodbye" || len(v.roll) != 1 {
		t.Errorf("heard were %s with %s", got, v.text())
	}
	if again := w.view(t, base+watchPath(ann), v.id); again.resp.StatusCode != 204 {
		t.Errorf("a browser that comes back is answered %d", again.resp.StatusCode)
	}
}

func TestALargeRollComesInParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	for range 20 {
		w.join(ann.Stage, "x")
	}
	v := w.view(t, base+watchPath(ann), "")
	v.until(caughtUp)
	if got := strings.Join(v.heard, " "); got != "snapshot snapshot snapshot caught-up" || len(v.roll) != 21 {
		t.Errorf("heard were %s with %d", got, len(v.roll))
	}
}

func TestASilentWatchShowsSignsOfLifeThatMoveTheCursor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.serve()
	ann, other := w.join(w.newStage(), "ann"), w.join(w.newStage(), "bob")
	v := w.view(t, base+watchPath(ann), "")
	v.until(caughtUp)
	before := v.no()
	w.record(other, stage.PublishStarted)
	for v.no() == before {
		line, err := v.lines.ReadString('\n')
		w.check(err)
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "id: "); ok {
			v.id = id
		}
	}
}

func TestWhoseKeyEndsIsToldGoodbye(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	v := w.view(t, base+watchPath(ann), "")
	v.until(caughtUp)
	w.mu.Lock()
	w.lost = true
	w.mu.Unlock()
	if m := v.until(goodbye); !strings.Contains(string(m.Data), "denied") {
		t.Errorf("goodbye has %s", m.Data)
	}
}

func TestWhoWatchesAStageThatIsDeletedIsToldGoodbye(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.serve()
	arn := w.newStage()
	v := w.view(t, base+stagePath(arn), "")
	v.until(caughtUp)
	w.check(w.service.DeleteStage(t.Context(), w.caller, arn))
	if m := v.until(goodbye); !strings.Contains(string(m.Data), "gone") {
		t.Errorf("goodbye has %s", m.Data)
	}
}

func TestAServerThatStopsSaysGoodbye(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	v := w.view(t, base+watchPath(ann), "")
	v.until(caughtUp)
	w.Desk.Close()
	if m := v.until(goodbye); !strings.Contains(string(m.Data), "stopping") {
		t.Errorf("goodbye has %s", m.Data)
	}
	if _, more := v.next(); more {
		t.Error("something follows the goodbye")
	}
}

func TestOnlySoManyMayWatch(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, hurry, func(o *Options) { o.Watchers, o.AccountWatchers = 3, 2 })
	base := w.serve()
	ann := w.join(w.newStage(), "ann")
	first := w.view(t, base+watchPath(ann), "")
	first.until(caughtUp)
	w.view(t, base+watchPath(ann), "").until(caughtUp)
	if got := w.get(watchPath(ann)); got.status != 402 || got.code() != "ServiceQuotaExceededException" {
		t.Errorf("one too many is answered %d %s", got.status, got.body)
	}
	w.gallery.most = 2
	if got := w.get(watchPath(ann)); got.status != 503 {
		t.Errorf("one too many for the server is answered %d %s", got.status, got.body)
	}
	if s := w.WatchStats(); s.Watchers != 2 || s.Refused != 2 {
		t.Errorf("counted are %+v", s)
	}
}

func TestAWatchIsRefusedBeforeItBegins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.join(w.newStage(), "ann")
	for path, want := range map[string]int{
		watchPath(ann, "stat", "CONNECTED"):                    400,
		watchPath(ann, "state", "connected"):                   400,
		watchPath(ann, "published", "yes"):                     400,
		watchPath(ann, "userId", strings.Repeat("x", 129)):     400,
		watchPath(ann, "attribute.", "x"):                      400,
		stagePath(stage.ARN{ID: "nothere"}):                    404,
		Root + "/stages/" + ann.Stage.ID + "/sessions/x/watch": 404,
	} {
		if got := w.get(path); got.status != want {
			t.Errorf("%s is answered %d %s", path, got.status, got.body)
		}
	}
}
