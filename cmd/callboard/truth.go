package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"callboard/internal/guest"
)

// actor is somebody in the demo: a token, a guest while there is one, and what
// the list has to say.
type actor struct {
	name  string
	token string
	id    string

	guest  *guest.Guest
	lost   []*guest.Guest // vanished; they hold sockets until the end
	truth  row
	listed row       // what the list said last
	moving bool      // truth is about to be; the list may still say what was before
	by     time.Time // when the list must say it, if nobody is waiting for that
}

// row is what the list says of somebody. The zero row is no row.
type row struct {
	state     types.ParticipantState
	published bool
}

var (
	here       = row{state: types.ParticipantStateConnected}
	publishing = row{state: types.ParticipantStateConnected, published: true}
)

// gone is the row of somebody after leaving: once published is published for good.
func (r row) gone() row { return row{types.ParticipantStateDisconnected, r.published} }

func (r row) String() string {
	switch {
	case r == row{}:
		return "not there"
	case r.published:
		return string(r.state) + ", published"
	}
	return string(r.state) + ", never published"
}

// enter makes the guest of the actor's token, unless there is one.
func (a *actor) enter() (err error) {
	if a.guest == nil {
		a.guest, err = guest.New(a.token)
	}
	return err
}

// leave says goodbye.
func (a *actor) leave(ctx context.Context) error {
	if a.guest == nil {
		return nil
	}
	g := a.guest
	a.guest = nil
	return g.Close(ctx)
}

// vanish drops off the network.
func (a *actor) vanish() {
	a.guest.Vanish()
	a.lost = append(a.lost, a.guest)
	a.guest = nil
}

// release lets go of what vanished guests hold.
func (a *actor) release(ctx context.Context) error {
	var errs []error
	for _, g := range a.lost {
		errs = append(errs, g.Close(ctx))
	}
	return errors.Join(errs...)
}

// untruth is a list that says what is not so.
type untruth struct{ what string }

func (u *untruth) Error() string { return "the list is not true: " + u.what }

func untrue(format string, args ...any) error { return &untruth{fmt.Sprintf(format, args...)} }

// check compares a list with the truth. Of somebody who is in motion the list may
// say what was or what will be; of all others it must say what is.
func check(cast []*actor, list []types.ParticipantSummary) error {
	rows := make(map[string]row, len(list))
	for _, p := range list {
		id := aws.ToString(p.ParticipantId)
		if _, twice := rows[id]; twice {
			return untrue("%s is in it twice", id)
		}
		rows[id] = row{p.State, p.Published}
		if !known(cast, id, aws.ToString(p.UserId)) {
			return untrue("it has %s (%q), who was never let in", id, aws.ToString(p.UserId))
		}
	}
	now := time.Now()
	for _, a := range cast {
		if err := a.see(rows[a.id], now); err != nil {
			return err
		}
	}
	return nil
}

func known(cast []*actor, id, userID string) bool {
	for _, a := range cast {
		if a.id == id {
			return a.name == userID
		}
	}
	return false
}

// see takes in what a list says of one actor.
func (a *actor) see(now row, at time.Time) error {
	before := a.listed
	a.listed = now
	switch {
	case before != row{} && now == row{}:
		return untrue("%s was in it and no longer is", a.name)
	case before.published && !now.published:
		return untrue("%s has published, and it says never", a.name)
	case !a.moving && !a.agrees():
		return untrue("%s is %s, and it says %s", a.name, a.truth, now)
	case a.by.IsZero():
		return nil
	case a.agrees():
		a.moving, a.by = false, time.Time{}
	case at.After(a.by):
		return untrue("%s should be %s by now, and it says %s", a.name, a.truth, now)
	}
	return nil
}

func (a *actor) agrees() bool { return a.listed == a.truth }
