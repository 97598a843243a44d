package main

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
)

func TestAListIsHeldAgainstTheTruth(t *testing.T) {
	t.Parallel()
	connected, left := types.ParticipantStateConnected, types.ParticipantStateDisconnected
	cases := []struct {
		name   string
		change func(alice, bob *actor) // from: alice publishes, bob has not joined
		list   []types.ParticipantSummary
		want   string // in the error; "" if the list is true
	}{
		{"what is so is true", nil, list("alice", connected, true), ""},
		{"somebody who was never let in", nil, append(list("alice", connected, true), list("mallory", connected, false)...), "mallory"},
		{"an id with the user id of another", nil, []types.ParticipantSummary{{ParticipantId: aws.String("id-alice"), UserId: aws.String("bob")}}, "never let in"},
		{"somebody twice", nil, append(list("alice", connected, true), list("alice", connected, true)...), "twice"},
		{"somebody is missing", nil, nil, "no longer"},
		{"published is forgotten", nil, list("alice", connected, false), "says never"},
		{"a wrong state", nil, list("alice", left, true), "it says DISCONNECTED"},
		{"somebody listed before joining", nil, append(list("alice", connected, true), list("bob", connected, false)...), "bob is not there"},
		{"somebody in motion may be as before", func(a, _ *actor) { a.moving, a.truth = true, publishing.gone() }, list("alice", connected, true), ""},
		{"somebody in motion may be as afterwards", func(a, _ *actor) { a.moving, a.truth = true, publishing.gone() }, list("alice", left, true), ""},
		{"published is not forgotten in motion either", func(a, _ *actor) { a.moving = true }, list("alice", left, false), "says never"},
		{"what should be noticed in time is late", func(a, _ *actor) { a.moving, a.by, a.truth = true, time.Now().Add(-time.Second), publishing.gone() },
			list("alice", connected, true), "by now"},
		{"what should be noticed has time", func(a, _ *actor) { a.moving, a.by, a.truth = true, time.Now().Add(time.Hour), publishing.gone() },
			list("alice", connected, true), ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			alice := &actor{name: "alice", id: "id-alice", truth: publishing, listed: publishing}
			bob := &actor{name: "bob", id: "id-bob"}
			if c.change != nil {
				c.change(alice, bob)
			}
			err := check([]*actor{alice, bob}, c.list)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestWhoWasNoticedInTimeIsSettledAgain(t *testing.T) {
	t.Parallel()
	alice := &actor{name: "alice", id: "id-alice", truth: publishing.gone(), listed: publishing, moving: true, by: time.Now().Add(time.Hour)}
	if err := check([]*actor{alice}, list("alice", types.ParticipantStateDisconnected, true)); err != nil {
		t.Fatal(err)
	}
	if alice.moving || !alice.by.IsZero() {
		t.Errorf("alice is %+v", alice)
	}
}

func list(name string, state types.ParticipantState, published bool) []types.ParticipantSummary {
	return []types.ParticipantSummary{{ParticipantId: aws.String("id-" + name), UserId: &name, State: state, Published: published}}
}
