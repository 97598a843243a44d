package stage_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"callboard/internal/stage"
)

const lease = 15 * time.Second

// second opens another process on the same facts, and enlists both.
func (w *world) second() *stage.Register {
	w.t.Helper()
	_, r, err := stage.Open(w.t.Context(), stage.Options{Store: w.store, Linger: linger, Now: w.clock})
	w.check(err)
	for _, r := range []*stage.Register{w.Register, r} {
		_, err := r.Enlist(w.t.Context(), "http://10.0.0.1", "")
		w.check(err)
	}
	return r
}

// live lets a while pass in which these say that they are alive.
func (w *world) live(d time.Duration, alive ...*stage.Register) {
	w.t.Helper()
	for ; d > 0; d -= lease / 3 {
		w.pass(min(d, lease/3))
		for _, r := range alive {
			_, err := r.Renew(w.t.Context())
			w.check(err)
			w.check(r.Sweep(w.t.Context()))
		}
	}
}

func (w *world) admit(arn stage.ARN) stage.Admission {
	w.t.Helper()
	a, err := w.Admit(w.t.Context(), w.token(arn, "").JWT)
	w.check(err)
	return a
}

func TestAParticipantIsHeldByOneProcessUntilItHasLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.second()
	a := w.admit(w.stage())
	home, err := w.Claim(t.Context(), a.Stage, a.ParticipantID)
	w.check(err)
	if home.ID != w.Process() {
		t.Errorf("the seat went to %q", home.ID)
	}
	if home, err = other.Claim(t.Context(), a.Stage, a.ParticipantID); err != nil || home.ID != w.Process() {
		t.Errorf("the other one is told %q, %v", home.ID, err)
	}
	if _, err := other.Join(t.Context(), a, stage.Client{}); !errors.Is(err, stage.ErrNotHeld) {
		t.Errorf("the other one lets the participant join: %v", err)
	}
	e, err := w.Join(t.Context(), a, stage.Client{})
	w.check(err)
	if err := other.Record(t.Context(), e, stage.Fact{Name: stage.Left}); !errors.Is(err, stage.ErrNotHeld) {
		t.Errorf("the other one writes about the participant: %v", err)
	}
	w.record(e, stage.Left)
	if _, err := w.Home(t.Context(), a.Stage, a.ParticipantID); !errors.Is(err, stage.ErrNoRow) {
		t.Errorf("after LEFT somebody holds the participant: %v", err)
	}
	_, err = other.Join(t.Context(), a, stage.Client{})
	w.check(err)
	if got := strings.Join(w.events(e), " "); got != "JOINED LEFT JOINED" {
		t.Errorf("events are %s", got)
	}
}

func TestTheParticipantsOfADeadProcessLeaveAtTheLastTimeItWasAlive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.second()
	arn := w.stage()
	w.live(lease, w.Register, other)
	died := w.clock()
	stays := w.join(arn, "")
	dead, err := other.Join(t.Context(), w.admit(arn), stage.Client{})
	w.check(err)
	w.check(other.Record(t.Context(), dead, stage.Fact{Name: stage.PublishStarted, Protocol: stage.ProtocolWHIP}))
	w.live(lease-time.Second, w.Register)
	if got := strings.Join(w.events(dead), " "); got != "PUBLISH_STARTED JOINED" {
		t.Errorf("before the lease has run out events are %s", got)
	}
	w.live(2*time.Second, w.Register)
	if got := strings.Join(w.events(dead), " "); got != "LEFT PUBLISH_STOPPED PUBLISH_STARTED JOINED" {
		t.Errorf("events are %s", got)
	}
	list, _, err := w.Events(t.Context(), w.caller, arn, dead.SessionID, dead.ParticipantID, stage.Page{Limit: 1})
	w.check(err)
	if !list[0].At.Equal(died) {
		t.Errorf("left at %v, the process died at %v", list[0].At, died)
	}
	if got := strings.Join(w.events(stays), " "); got != "JOINED" {
		t.Errorf("who is held by the living has events %s", got)
	}
	alive, err := w.Processes(t.Context())
	if err != nil || len(alive) != 1 {
		t.Errorf("alive are %v, %v", alive, err)
	}
	w.check(w.store.View(t.Context(), countsAgree))
}

func TestAProcessThatWasTakenForDeadWritesNothingUntilItIsEnlistedAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.second()
	a := w.admit(w.stage())
	w.live(lease, w.Register, other)
	e, err := other.Join(t.Context(), a, stage.Client{})
	w.check(err)
	w.live(lease+lease/3, w.Register) // the other one is paused
	for _, f := range []stage.Fact{{Name: stage.PublishStarted}, {Name: stage.Left}, {Name: stage.PublishError, Error: stage.QuotaExceeded}} {
		if err := other.Record(t.Context(), e, f); !errors.Is(err, stage.ErrNotHeld) {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	if _, err := other.Renew(t.Context()); !errors.Is(err, stage.ErrNotHeld) {
		t.Errorf("renewing: %v", err)
	}
	if _, err := other.Join(t.Context(), a, stage.Client{}); !errors.Is(err, stage.ErrNotHeld) {
		t.Errorf("joining: %v", err)
	}
	if other.Held(w.clock()) || !w.Held(w.clock()) {
		t.Error("who was silent takes itself for alive, or the other one does not")
	}
	_, err = other.Enlist(t.Context(), "http://10.0.0.2", "")
	w.check(err)
	if !other.Held(w.clock()) {
		t.Error("who has begun anew is not alive")
	}
	_, err = other.Join(t.Context(), a, stage.Client{})
	w.check(err)
	if got := strings.Join(w.events(e), " "); got != "JOINED LEFT JOINED" {
		t.Errorf("events are %s", got)
	}
}

func TestASeatOfADeadProcessCanBeTakenAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.second()
	a := w.admit(w.stage())
	e, err := other.Join(t.Context(), a, stage.Client{})
	w.check(err)
	w.pass(lease + time.Second) // nobody sweeps
	_, err = w.Join(t.Context(), a, stage.Client{})
	w.check(err)
	if got := strings.Join(w.events(e), " "); got != "JOINED LEFT JOINED" {
		t.Errorf("events are %s", got)
	}
	w.check(w.store.View(t.Context(), countsAgree))
}

func TestAfterAnOutageOfTheDatabaseEverybodyGetsTheTimeToComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.second()
	e, err := other.Join(t.Context(), w.admit(w.stage()), stage.Client{})
	w.check(err)
	w.live(lease, w.Register, other)
	w.pass(lease + lease/2)
	w.live(lease/2, w.Register) // it is back first
	w.live(time.Minute, w.Register, other)
	if got := strings.Join(w.events(e), " "); got != "JOINED" {
		t.Errorf("events are %s", got)
	}
}

func TestTheFirstProcessEndsWhomNobodyHoldsAndALaterOneNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.stage()
	orphan := w.join(arn, "") // by a server that was alone
	w.pass(time.Minute)
	other := w.second() // after w
	held, err := other.Join(t.Context(), w.admit(arn), stage.Client{})
	w.check(err)
	w.check(other.Recover(t.Context()))
	if got := strings.Join(w.events(orphan), " "); got != "JOINED" {
		t.Errorf("after the second one's start events are %s", got)
	}
	w.check(w.Recover(t.Context()))
	if got := strings.Join(w.events(orphan), " "); got != "LEFT JOINED" {
		t.Errorf("events are %s", got)
	}
	if got := strings.Join(w.events(held), " "); got != "JOINED" {
		t.Errorf("who is held has events %s", got)
	}
	w.check(w.store.View(t.Context(), countsAgree))
}

// between does something after the first update that it is there for.
type between struct {
	stage.Store
	do func()
}

func (b *between) Update(ctx context.Context, fn func(stage.Tx) error) error {
	err := b.Store.Update(ctx, fn)
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return err
}

func TestWhoComesToAnotherProcessWhileTheFirstEndsWhomNobodyHoldsStays(t *testing.T) {
	t.Parallel()
	between := &between{}
	w := newWorldWith(t, "", stage.Quotas{}, func(o *stage.Options) { between.Store, o.Store = o.Store, between })
	arn := w.stage()
	for range 201 { // more than one batch
		w.join(arn, "")
	}
	w.pass(time.Minute)
	other := w.second()
	var came stage.Entry
	between.do = func() {
		var err error
		came, err = other.Join(t.Context(), w.admit(arn), stage.Client{})
		w.check(err)
	}
	w.check(w.Recover(t.Context()))
	if got := strings.Join(w.events(came), " "); got != "JOINED" {
		t.Errorf("events are %s", got)
	}
	w.check(w.store.View(t.Context(), func(tx stage.Tx) error {
		live, err := tx.LiveSession(arn)
		if live.No != came.Session || live.Connected != 1 {
			t.Errorf("the live session is %+v, somebody joined %+v", live, came)
		}
		return err
	}))
	w.check(w.store.View(t.Context(), countsAgree))
}

func TestASeatThatNobodyCameForIsGivenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.second()
	a := w.admit(w.stage())
	_, err := w.Claim(t.Context(), a.Stage, a.ParticipantID)
	w.check(err)
	w.check(other.GiveUp(t.Context(), a.Stage, a.ParticipantID)) // not its to give
	w.check(w.GiveUp(t.Context(), a.Stage, a.ParticipantID))
	if home, err := other.Claim(t.Context(), a.Stage, a.ParticipantID); err != nil || home.ID != other.Process() {
		t.Errorf("the seat went to %q, %v", home.ID, err)
	}
	w.check(w.Resign(t.Context()))
	w.check(other.Resign(t.Context()))
	if alive, err := w.Processes(t.Context()); err != nil || len(alive) != 1 || alive[0].ID != other.Process() {
		t.Errorf("on the list is %v (%v); who still holds somebody stays", alive, err)
	}
}
