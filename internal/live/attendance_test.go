package live_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"callboard/internal/live"
	"callboard/internal/live/livetest"
	"callboard/internal/stage"
)

// awaitState waits until a seat sees what is wanted.
func awaitState(t *testing.T, seat *live.Attendance, what string, wanted func(live.State) bool) live.State {
	t.Helper()
	deadline := time.After(livetest.Patience)
	for {
		if s := seat.State(); wanted(s) {
			return s
		}
		select {
		case <-seat.Changed():
		case <-deadline:
			t.Fatalf("waited in vain for %s; seen is %+v of %+v", what, seat.State().Local, seat.State().Common.People)
		}
	}
}

func person(s live.State, id string) (live.Person, bool) {
	i := slices.IndexFunc(s.Common.People, func(p live.Person) bool { return p.ID == id })
	if i < 0 {
		return live.Person{}, false
	}
	return s.Common.People[i], true
}

func publishing(id string) func(live.State) bool {
	return func(s live.State) bool { p, ok := person(s, id); return ok && p.Publishing }
}

func TestJoinIsRecordedBeforeAttendReturns(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	seat := h.attend(a)
	h.want(a, "JOINED")
	if got := seat.State().Local; got.ID != a.ParticipantID || got.UserID != "somebody" || got.SessionID == "" || got.JoinedAt.IsZero() {
		t.Errorf("the local participant is %+v", got)
	}
	seat.Lost()
	h.await(a, "JOINED", "LEFT")
	h.attend(a)
	h.want(a, "JOINED", "LEFT", "JOINED")
}

func TestPeopleSeeEachOtherComePublishMuteAndGo(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	host, viewer := h.Admit(arn), h.Admit(arn, stage.Subscribe)
	watching := h.attend(viewer)
	first := watching.State().Version
	seat := h.attend(host)
	awaitState(t, watching, "the host", func(s live.State) bool {
		p, ok := person(s, host.ParticipantID)
		return ok && !p.Publishing && p.MayPublish && p.MaySubscribe
	})
	m, _ := h.publish(host)
	state := awaitState(t, watching, "the publication", publishing(host.ParticipantID))
	if p, _ := person(state, host.ParticipantID); p.PublishEpoch != 1 {
		t.Errorf("the epoch is %d", p.PublishEpoch)
	}
	seat.SetMute(true, false)
	awaitState(t, watching, "the mute", func(s live.State) bool {
		p, _ := person(s, host.ParticipantID)
		return p.AudioMuted && !p.VideoStopped
	})
	if err := m.Close(h.Context()); err != nil {
		t.Fatal(err)
	}
	awaitState(t, watching, "the end of the publication", func(s live.State) bool { return !publishing(host.ParticipantID)(s) })
	seat.Leave()
	state = awaitState(t, watching, "the host's leaving", func(s live.State) bool {
		_, ok := person(s, host.ParticipantID)
		return !ok
	})
	if state.Version <= first {
		t.Errorf("versions went from %d to %d", first, state.Version)
	}
	if p, ok := person(state, viewer.ParticipantID); !ok || p.MayPublish {
		t.Errorf("the viewer is shown as %+v", p)
	}
}

func TestLeavingEndsAllLegs(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	seat := h.attend(a)
	_, p := h.publish(a)
	seat.Leave()
	livetest.Wait(t, "the socket's end", seat.Done())
	if reason, _ := seat.Reason(); reason != stage.ReasonUserInitiated {
		t.Errorf("the reason is %q", reason)
	}
	livetest.Wait(t, "the publication's end", p.Down())
	h.await(a, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT")
}

func TestSecondSocketTakesTheFirstOnesPlaceAndItsMedia(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{Live: live.Options{ResumeWindow: time.Millisecond}})
	a := h.Admit(h.Stage())
	first := h.attend(a)
	_, p := h.publish(a)
	second := h.attend(a)
	livetest.Wait(t, "the first socket's end", first.Done())
	if reason, _ := first.Reason(); reason != stage.ReasonTokenReused {
		t.Errorf("the reason is %q", reason)
	}
	livetest.Wait(t, "the publication's end", p.Down())
	h.await(a, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED")
	first.Leave() // has no say any more
	first.SetMute(true, true)
	h.publish(a)
	h.want(a, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "PUBLISH_STARTED")
	if second.State().Local.AudioMuted {
		t.Error("the first socket could mute")
	}
}

func TestSocketThatResumesKeepsTheMedia(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{Live: live.Options{ResumeWindow: time.Second}})
	a, other := h.Admit(h.Stage()), h.Admit(h.Stage())
	first := h.attend(a)
	m, _ := h.publish(a)
	h.attend(other)
	_, theirs := h.publish(other)

	second := h.attend(a)
	second.Resume(first.ResumeValue())
	if first.ResumeValue() == second.ResumeValue() {
		t.Error("two sockets have the same resume value")
	}
	livetest.Wait(t, "the first socket's end", first.Done())
	h.attend(other) // without resuming: when its media has ended, the first window is over too
	livetest.Wait(t, "the end of media that was not resumed", theirs.Down())
	if _, ok := h.Floor.Media(m.ID()); !ok {
		t.Error("the publication has ended")
	}
	h.want(a, "JOINED", "PUBLISH_STARTED")
}

func TestSocketThatGuessesDoesNotResume(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{Live: live.Options{ResumeWindow: 20 * time.Millisecond}})
	a := h.Admit(h.Stage())
	h.attend(a)
	_, p := h.publish(a)
	second := h.attend(a)
	second.Resume("")
	second.Resume("guess")
	second.Resume(second.ResumeValue())
	livetest.Wait(t, "the publication's end", p.Down())
}

func TestReconnectThatTakesTwoAttemptsKeepsTheMedia(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(*live.Attendance){
		"the first attempt has ended":   func(seat *live.Attendance) { seat.Lost() },
		"the first attempt hangs still": func(*live.Attendance) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, livetest.Setting{Live: live.Options{ResumeWindow: time.Second}})
			a, other := h.Admit(h.Stage()), h.Admit(h.Stage())
			origin := h.attend(a)
			m, _ := h.publish(a)
			h.attend(other)
			_, theirs := h.publish(other)

			attempt := h.attend(a)
			first(attempt)
			h.attend(a).Resume(origin.ResumeValue())
			h.attend(other) // without resuming: when its media has ended, all windows before are over too
			livetest.Wait(t, "the end of media that was not resumed", theirs.Down())
			if _, ok := h.Floor.Media(m.ID()); !ok {
				t.Error("the publication has ended")
			}
			h.want(a, "JOINED", "PUBLISH_STARTED")
		})
	}
}

func TestSecondTabThatReconnectsDoesNotKeepTheFirstOnesMedia(t *testing.T) {
	t.Parallel()
	for name, resume := range map[string]func(tab, again *live.Attendance){
		"with nothing to show":       func(_, _ *live.Attendance) {},
		"with its own tab's value":   func(tab, again *live.Attendance) { again.Resume(tab.ResumeValue()) },
		"with the value it got last": func(_, again *live.Attendance) { again.Resume(again.ResumeValue()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, livetest.Setting{Live: live.Options{ResumeWindow: 50 * time.Millisecond}})
			a := h.Admit(h.Stage())
			h.attend(a)
			_, p := h.publish(a)
			tab := h.attend(a)
			resume(tab, h.attend(a))
			livetest.Wait(t, "the publication's end", p.Down())
		})
	}
}

func TestVersionsDoNotOutrunTheClock(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	const mutes = 4000
	began := time.Now().UnixMilli()
	seat := h.attend(h.Admit(h.Stage()))
	before := seat.State().Version
	if before < began {
		t.Errorf("versions begin at %d; a server that ran until now may have got to %d", before, began)
	}
	for i := range mutes {
		seat.SetMute(i%2 == 0, i == mutes-1)
	}
	state := awaitState(t, seat, "the last mute", func(s live.State) bool { return s.Local.VideoStopped })
	if state.Version != before+mutes {
		t.Errorf("the version went from %d to %d", before, state.Version)
	}
	const changes = mutes + 10 // joining is some, too
	if later := time.Now().Add(changes * time.Millisecond).UnixMilli(); later < state.Version {
		t.Errorf("after %d changes the version is %d; a server that starts %[1]d ms later begins at %[3]d", changes, state.Version, later)
	}
}

func TestViewersOfACrowdedStageSeeOnlyWhoPublishes(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{Live: live.Options{ListViewersUpTo: 3}})
	arn := h.Stage()
	host := h.Admit(arn)
	m, _ := h.publish(host)
	var seats []*live.Attendance
	for range 2 {
		seats = append(seats, h.attend(h.Admit(arn)))
	}
	awaitState(t, seats[0], "everybody", func(s live.State) bool { return len(s.Common.People) == 3 && !s.Truncated })
	last := h.attend(h.Admit(arn))
	awaitState(t, seats[0], "the host alone", func(s live.State) bool { return len(s.Common.People) == 1 && s.Truncated })
	if s := last.State(); s.Local.ID == "" || s.Common.People[0].ID != host.ParticipantID {
		t.Errorf("the last one sees %+v and itself as %+v", s.Common.People, s.Local)
	}

	drain(seats[0])
	before := seats[0].State().Version
	last.SetMute(true, true)
	awaitState(t, last, "its own mute", func(s live.State) bool { return s.Local.AudioMuted && s.Version > before })
	select {
	case <-seats[0].Changed():
		t.Error("somebody was woken for what they cannot see")
	default:
	}

	last.Lost()
	awaitState(t, seats[0], "everybody again", func(s live.State) bool { return len(s.Common.People) == 3 && !s.Truncated })
	if err := m.Close(h.Context()); err != nil {
		t.Fatal(err)
	}
	awaitState(t, seats[0], "the viewers", func(s live.State) bool { return len(s.Common.People) == 2 })
}

func drain(seat *live.Attendance) {
	select {
	case <-seat.Changed():
	default:
	}
}

func TestVersionsGrowEvenIfTheStageWasEmptyMeanwhile(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	a := h.Admit(arn)
	seat := h.attend(a)
	for i := range 20 {
		seat.SetMute(i%2 == 0, true)
	}
	awaitState(t, seat, "the last mute", func(s live.State) bool { return s.Local.VideoStopped && !s.Local.AudioMuted })
	before := seat.State().Version
	seat.Lost()
	h.await(a, "JOINED", "LEFT")
	h.Await("an empty floor", func() bool { return h.Floor.Stats().Participants == 0 }, nil)
	if after := h.attend(a).State().Version; after <= before {
		t.Errorf("the version went from %d to %d", before, after)
	}
}

func TestClientsAreDescribedAsTheyTellMore(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	seat := h.attend(a)
	seat.Describe(stage.Client{SDKVersion: "1.41.0 <b>", OSName: "Plan 9"})
	seat.Describe(stage.Client{BrowserName: "Mothra"})
	want := stage.Client{SDKVersion: "1.41.0 b", OSName: "Plan 9", BrowserName: "Mothra"}
	h.Await("the description", func() bool { return h.Client(a.Stage, a.ParticipantID) == want }, func() any { return h.Client(a.Stage, a.ParticipantID) })
}

func BenchmarkChangeOnACrowdedStage(b *testing.B) {
	w := livetest.Open(b, livetest.Setting{Live: live.Options{ListViewersUpTo: 10_000}})
	arn := w.Stage()
	a := w.Admit(arn)
	var seats []*live.Attendance
	for i := range 2000 {
		a.ParticipantID = fmt.Sprintf("viewer%d", i)
		seat, err := w.Floor.Attend(w.Context(), a, stage.Client{})
		if err != nil {
			b.Fatal(err)
		}
		seats = append(seats, seat)
	}
	muted := false
	for b.Loop() {
		muted = !muted
		seats[0].SetMute(muted, false)
		for _, seat := range seats {
			<-seat.Changed()
			seat.State().Common.Encoded(func(p live.Person) []byte { return fmt.Append(nil, p.ID) })
		}
	}
}

func BenchmarkAttend(b *testing.B) {
	w := livetest.Open(b, livetest.Setting{})
	arn := w.Stage()
	a := w.Admit(arn)
	b.RunParallel(func(pb *testing.PB) {
		a := a
		for i := 0; pb.Next(); i++ {
			a.ParticipantID = rand.Text()
			seat, err := w.Floor.Attend(context.Background(), a, stage.Client{})
			if err != nil {
				b.Error(err)
				return
			}
			seat.Lost()
		}
	})
}
