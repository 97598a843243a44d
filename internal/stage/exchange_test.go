package stage_test

import (
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"callboard/internal/stage"
)

// another gives an admission as a second token of the same participant would.
func another(a stage.Admission, userID string, attributes map[string]string) stage.Admission {
	a.UserID, a.Attributes, a.MayPublish = userID, attributes, false
	a.Expires = a.Expires.Add(time.Hour)
	return a
}

// show gives what a token is good for.
func (w *world) show(jwt string) stage.Admission {
	w.t.Helper()
	a, err := w.Admit(w.t.Context(), jwt)
	w.check(err)
	return a
}

// exchange gives the number of the event.
func (w *world) exchange(e stage.Entry, from, to stage.Admission) int64 {
	w.t.Helper()
	no, err := w.Exchange(w.t.Context(), e, from, to)
	w.check(err)
	return no
}

func TestAnExchangeWhoseAnswerWasLostIsRecordedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.stage()
	issued := w.token(arn, "ann")
	e, first := w.enter(issued.JWT), w.show(issued.JWT)
	second := another(first, "erika", nil)
	again := func(after int64, from, to stage.Admission) int64 {
		t.Helper()
		no, err := w.ExchangeAgain(t.Context(), e, after, from, to)
		w.check(err)
		return no
	}
	no := w.exchange(e, first, second)
	w.record(e, stage.PublishStarted)
	if got := again(0, first, second); got != no {
		t.Errorf("the exchange %d was told again as %d", no, got)
	}
	back := again(no, second, first) // of which nothing had been recorded
	if back <= no {
		t.Errorf("the next one is %d after %d", back, no)
	}
	if got := again(no, second, first); got != back {
		t.Errorf("the next one %d was told again as %d", back, got)
	}
	w.record(e, stage.Left)
	e = w.enter(issued.JWT)
	if later := again(0, first, second); later <= back {
		t.Errorf("after a rejoin an exchange of before is taken for the new one: %d", later)
	}
	want := []string{"TOKEN_EXCHANGED", "JOINED", "LEFT", "TOKEN_EXCHANGED", "PUBLISH_STARTED", "TOKEN_EXCHANGED", "JOINED"}
	if got := w.events(e); !slices.Equal(got, want) {
		t.Errorf("events are %v", got)
	}
}

func TestAnExchangedTokenIsToldAndHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.stage()
	w.join(arn, "ann")
	issued := w.token(arn, "guest 7")
	e := w.enter(issued.JWT)
	w.join(arn, "erika")
	before := w.show(issued.JWT)
	after := another(before, "erika", map[string]string{"role": "host"})
	at, _ := w.Latest()
	w.exchange(e, before, after)

	p, err := w.Participant(t.Context(), w.caller, arn, e.SessionID, e.ParticipantID)
	w.check(err)
	if p.UserID != "erika" || p.Detail.Attributes["role"] != "host" || !p.Connected {
		t.Errorf("the participant is %+v of %+v", p, p.Detail)
	}
	for userID, want := range map[string]int{"erika": 2, "guest 7": 0} {
		if got := w.roll(stage.Roll{Stage: arn, SessionID: e.SessionID, UserID: &userID}, 1); len(got) != want {
			t.Errorf("%s are %+v", userID, got)
		}
	}
	want := &stage.Exchange{Previous: before.Grant(), New: after.Grant()}
	want.Previous.Attributes = map[string]string{}
	events, _, err := w.Events(t.Context(), w.caller, arn, e.SessionID, e.ParticipantID, stage.Page{Limit: 10})
	w.check(err)
	if len(events) != 2 || events[0].Name != stage.TokenExchanged || !reflect.DeepEqual(events[0].Exchange, want) || events[1].Exchange != nil {
		t.Errorf("events are %+v", events)
	}
	changes, _, err := w.Changes(t.Context(), at, func(stage.ARN) bool { return true })
	w.check(err)
	if len(changes) != 1 || changes[0].Old.UserID != "guest 7" || changes[0].New.UserID != "erika" || !changes[0].Old.Connected || !changes[0].Known {
		t.Errorf("changes are %+v", changes)
	}
}

func TestATokenThatMayNotFollowIsNotExchanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.stage()
	issued := w.token(arn, "ann")
	e, held := w.enter(issued.JWT), w.show(issued.JWT)
	elsewhere := w.caller
	elsewhere.Endpoints = stage.Endpoints{Events: "ws://localhost/events", WHIP: "http://elsewhere/whip"}
	reworded, err := w.Reword(elsewhere, arn, issued)
	w.check(err)
	for what, next := range map[string]stage.Admission{
		"another participant": w.show(w.token(arn, "ann").JWT),
		"another stage":       w.show(w.token(w.stage(), "ann").JWT),
		"another address":     w.show(reworded.JWT),
	} {
		if _, err := w.Exchange(t.Context(), e, held, next); stage.KindOf(err) != stage.Denied {
			t.Errorf("%s: %v", what, err)
		}
	}
	w.record(e, stage.Left)
	if _, err := w.Exchange(t.Context(), e, held, another(held, "x", nil)); stage.KindOf(err) != stage.NotFound {
		t.Errorf("after leaving: %v", err)
	}
	w.check(w.Disconnect(t.Context(), w.caller, arn, e.ParticipantID, ""))
	if _, err := w.Exchange(t.Context(), e, held, another(held, "x", nil)); stage.KindOf(err) != stage.Denied {
		t.Errorf("after the bar: %v", err)
	}
	if got := w.events(e); !reflect.DeepEqual(got, []string{"LEFT", "JOINED"}) {
		t.Errorf("events are %v", got)
	}
}

func TestAnErasedUserIDIsInNoExchange(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "facts.db")
	w := newWorldWith(t, path, stage.Quotas{})
	arn := w.stage()
	var came, went stage.Entry
	for _, e := range []struct {
		entry    *stage.Entry
		from, to string
	}{{&came, "guest", secretUser}, {&went, secretUser, "guest"}} {
		issued := w.token(arn, e.from)
		*e.entry = w.enter(issued.JWT)
		a := w.show(issued.JWT)
		w.exchange(*e.entry, a, another(a, e.to, map[string]string{"mail": e.to}))
	}
	if _, err := w.Erase(t.Context(), w.caller, stage.Erasure{UserID: secretUser}); stage.KindOf(err) != stage.Conflict {
		t.Errorf("while they are connected: %v", err)
	}
	w.record(came, stage.Left)
	if _, err := w.Erase(t.Context(), w.caller, stage.Erasure{UserID: secretUser}); stage.KindOf(err) != stage.Conflict {
		t.Errorf("while one is connected who had it before: %v", err)
	}
	w.record(went, stage.Left)
	done, err := w.Erase(t.Context(), w.caller, stage.Erasure{UserID: secretUser})
	if w.check(err); done != (stage.Erased{Sessions: 1, Participants: 2}) {
		t.Errorf("erased %+v", done)
	}
	if inFiles(t, path, secretUser) {
		t.Error("the user id is still in the files")
	}
	for _, e := range []stage.Entry{came, went} {
		list, _, err := w.Events(t.Context(), w.caller, arn, e.SessionID, e.ParticipantID, stage.Page{Limit: 10})
		w.check(err)
		if x := list[1].Exchange; len(list) != 3 || x == nil || x.Previous.UserID != "" || x.New.UserID != "" || len(x.New.Attributes) != 0 || !x.Previous.MayPublish || x.New.MayPublish {
			t.Errorf("events are %+v", list)
		}
	}
}
