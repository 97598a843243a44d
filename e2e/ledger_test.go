//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/internal/guest"
)

// ledger is what a test did on a stage, and thus what the API and the presence
// frames must say of it.
type ledger struct {
	board   *board
	arn     string
	session string
	people  []*actor // in the order of their first joining
}

// actor is somebody on a stage, and what the test had them do.
type actor struct {
	*guest.Guest
	token                            string
	socket                           *guest.Attendance // nil without one
	seen                             guest.State       // the newest state of the socket
	connected, publishing, published bool
	audioMuted, soundAlone           bool
	steps                            [][]string // events; those of one step come in any order, but LEFT last
}

// actor is somebody who is not on the stage yet.
func (l *ledger) actor(t *testing.T, userID string) *actor {
	token := *l.board.token(t, l.arn, userID).Token
	return &actor{Guest: bearer(t, token), token: token}
}

// joined notes that somebody came, by whatever leg.
func (l *ledger) joined(t *testing.T, a *actor) {
	t.Helper()
	if !slices.Contains(l.people, a) {
		l.people = append(l.people, a)
	}
	a.connected = true
	a.did("JOINED")
	if l.session == "" {
		l.session = l.board.session(t, l.arn)
	}
}

// attend has somebody open the presence socket.
func (l *ledger) attend(t *testing.T, a *actor) {
	t.Helper()
	socket, err := a.Attend(deadline(t, patience))
	must(t, err)
	a.socket = socket
	if !a.connected {
		l.joined(t, a)
	}
}

// publish has somebody publish, and waits until frames were sent.
func (l *ledger) publish(t *testing.T, a *actor, video guest.Video, rids ...string) *guest.Publication {
	t.Helper()
	p, err := a.Publish(deadline(t, patience), video, rids...)
	if err != nil {
		t.Fatalf("%s publishing: %v", a.UserID(), err)
	}
	if !a.connected {
		l.joined(t, a)
	}
	a.publishing, a.published, a.soundAlone = true, true, video == guest.NoVideo
	a.did("PUBLISH_STARTED")
	return p
}

// subscribe has somebody watch somebody, and waits until media has arrived.
func (l *ledger) subscribe(t *testing.T, a, publisher *actor, frames int64) *guest.Subscription {
	t.Helper()
	var s *guest.Subscription
	var err error
	eventually(t, patience, func() string { // as players do: 409 means not yet
		s, err = a.Subscribe(deadline(t, patience), publisher.ID(), guest.SubscribeOptions{})
		if r, ok := errors.AsType[*guest.Refusal](err); ok && r.Status == 409 {
			return r.Error()
		}
		return ""
	})
	if err != nil {
		t.Fatalf("%s (%s) subscribing to %s (%s): %v", a.UserID(), a.ID(), publisher.UserID(), publisher.ID(), err)
	}
	if !a.connected {
		l.joined(t, a)
	}
	a.did("SUBSCRIBE_STARTED " + publisher.ID())
	must(t, s.WaitFrames(deadline(t, patience), frames))
	eventually(t, patience, func() string {
		if got := s.Received(); got.Audio == 0 {
			return fmt.Sprintf("%s hears nothing of %s: %+v", a.UserID(), publisher.UserID(), got)
		}
		return ""
	})
	return s
}

// did notes the events of one step.
func (a *actor) did(events ...string) { a.steps = append(a.steps, events) }

// left notes that somebody is gone, and what ended with that.
func (a *actor) left(ends ...string) {
	if a.publishing {
		ends = append(ends, "PUBLISH_STOPPED")
	}
	a.did(append(ends, "LEFT")...)
	a.connected, a.publishing, a.audioMuted, a.socket = false, false, false, nil
}

// agrees waits until everything that can be asked gives the answers of the ledger.
func (l *ledger) agrees(t *testing.T, within time.Duration) {
	t.Helper()
	eventually(t, within, func() string {
		for _, check := range []func(*testing.T) string{l.lists, l.histories, l.states} {
			if wrong := check(t); wrong != "" {
				return wrong
			}
		}
		return ""
	})
}

// lists compares ListParticipants, with every filter.
func (l *ledger) lists(t *testing.T) string {
	type filter struct {
		text string
		pass func(*actor) bool
	}
	filters := []filter{
		{``, func(*actor) bool { return true }},
		{`"filterByState":"CONNECTED"`, func(a *actor) bool { return a.connected }},
		{`"filterByState":"DISCONNECTED"`, func(a *actor) bool { return !a.connected }},
		{`"filterByPublished":true`, func(a *actor) bool { return a.published }},
		{`"filterByPublished":false`, func(a *actor) bool { return !a.published }},
		{`"filterByRecordingState":"ACTIVE"`, func(*actor) bool { return false }},
	}
	users := map[string]bool{}
	for _, a := range l.people {
		users[a.UserID()] = true
	}
	for user := range users {
		filters = append(filters, filter{fmt.Sprintf(`"filterByUserId":%q`, user), func(a *actor) bool { return a.UserID() == user }})
	}
	for _, f := range filters {
		var want []string
		for _, a := range slices.Backward(l.people) {
			if f.pass(a) {
				want = append(want, a.row())
			}
		}
		if got := l.rows(t, f.text); !slices.Equal(got, want) {
			return fmt.Sprintf("ListParticipants %s\n got %v\nwant %v", f.text, got, want)
		}
	}
	return ""
}

// row is somebody's line in ListParticipants.
func (a *actor) row() string {
	state := "DISCONNECTED"
	if a.connected {
		state = "CONNECTED"
	}
	return fmt.Sprintf("%s/%s/%s/%v", a.UserID(), a.ID(), state, a.published)
}

func (l *ledger) rows(t *testing.T, filter string) (rows []string) {
	t.Helper()
	members := fmt.Sprintf(`"stageArn":"%s","sessionId":"%s"`, l.arn, l.session)
	if filter != "" {
		members += "," + filter
	}
	got := l.board.call(t, "ListParticipants", "{"+members+"}")
	var page struct {
		Participants []struct {
			ParticipantID, UserID, State string
			Published                    bool
		}
	}
	if got.status != 200 || json.Unmarshal([]byte(got.body), &page) != nil {
		t.Fatalf("ListParticipants: %d %s", got.status, got.body)
	}
	for _, p := range page.Participants {
		rows = append(rows, fmt.Sprintf("%s/%s/%s/%v", p.UserID, p.ParticipantID, p.State, p.Published))
	}
	return rows
}

// histories compares ListParticipantEvents of everyone.
func (l *ledger) histories(t *testing.T) string {
	for _, a := range l.people {
		got := history(t, l.board, l.arn, l.session, a.ID())
		ordered := slices.Clone(got)
		var want []string
		for _, step := range a.steps {
			from, to := len(want), min(len(want)+len(step), len(ordered))
			step = slices.Sorted(slices.Values(step))
			if i := slices.Index(step, "LEFT"); i >= 0 {
				step = append(slices.Delete(step, i, i+1), "LEFT")
				to--
			}
			if from < to {
				slices.Sort(ordered[from:to])
			}
			want = append(want, step...)
		}
		if !slices.Equal(ordered, want) {
			return fmt.Sprintf("events of %s\n got %v\nwant %v", a.UserID(), got, want)
		}
	}
	return ""
}

// states compares the newest presence frame of everyone who has a socket.
func (l *ledger) states(t *testing.T) string {
	want := map[string]string{}
	for _, a := range l.people {
		if a.connected {
			want[a.ID()] = fmt.Sprintf("%s publishing:%v muted:%v stopped:%v", a.UserID(), a.publishing, a.audioMuted, a.publishing && a.soundAlone)
		}
	}
	for _, a := range l.people {
		if a.socket == nil {
			continue
		}
		select {
		case s := <-a.socket.States():
			if s.SequenceNumber <= a.seen.SequenceNumber {
				t.Errorf("%s got state %d after state %d", a.UserID(), s.SequenceNumber, a.seen.SequenceNumber)
			}
			a.seen = s
		default:
		}
		got := map[string]string{}
		for _, p := range a.seen.Participants {
			got[p.ID] = fmt.Sprintf("%s publishing:%v muted:%v stopped:%v", p.UserID, p.IsPublishing, p.AudioMuted, p.VideoStopped)
		}
		if !maps.Equal(got, want) || len(a.seen.Participants) != len(want) {
			return fmt.Sprintf("%s sees\n     %s\nwant %s", a.UserID(), text(got), text(want))
		}
	}
	return ""
}

// stopped is the event of a subscription that ended.
func stopped(publisher *actor) string {
	return strings.TrimSpace("SUBSCRIBE_STOPPED " + publisher.ID())
}
