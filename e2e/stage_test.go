//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	"github.com/coder/websocket"

	"callboard/internal/guest"
)

// unnoticed is the longest time for which somebody who fell off the network may
// be listed as connected.
const unnoticed = 30 * time.Second

func TestTenPeopleOnAStageAreAlwaysListedAsTheyAre(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	l := &ledger{board: b, arn: b.stage(t)}
	publishers, viewers, lookers := l.arrival(t)
	p1, p2, p3 := publishers[0], publishers[1], publishers[2]
	l.agrees(t, patience)

	subscriptions := map[string]*guest.Subscription{}
	for _, v := range viewers {
		for _, p := range publishers[:2] {
			subscriptions[v.UserID()+" "+p.UserID()] = l.subscribe(t, v, p, 20)
		}
	}
	l.agrees(t, patience)
	for who, s := range subscriptions { // one does not end another
		if err := s.WaitFrames(deadline(t, patience), 10); err != nil {
			t.Errorf("%s: %v", who, err)
		}
	}
	protocols(t, l)

	must(t, p1.socket.SetState(deadline(t, patience), true, false))
	p1.audioMuted = true
	l.agrees(t, patience)

	must(t, lookers[0].Close(deadline(t, patience)))
	lookers[0].left()
	must(t, subscriptions["viewer-1 video-1"].Close(deadline(t, patience)))
	viewers[0].did(stopped(p1))
	l.agrees(t, patience)

	_, err := b.DisconnectParticipant(t.Context(), &sdk.DisconnectParticipantInput{StageArn: &l.arn, ParticipantId: aws.String(p1.ID())})
	must(t, err)
	p1.left()
	for _, v := range viewers[1:] {
		v.did(stopped(p1))
	}
	l.agrees(t, patience)
	barred(t, p1.Guest)

	comeback(t, l, p3)

	began := time.Now()
	p2.Vanish()
	viewers[4].Vanish()
	p2.left()
	for _, v := range viewers[:3] {
		v.did(stopped(p2))
	}
	viewers[3].left(stopped(p2)) // had nothing else to stay for
	viewers[4].left(stopped(p2))
	l.agrees(t, unnoticed)
	t.Logf("vanished people were listed as connected for %v", time.Since(began).Round(100*time.Millisecond))
}

// arrival lets ten people in: three publish, five will watch, two only look on.
// One publisher and one viewer have no presence socket.
func (l *ledger) arrival(t *testing.T) (publishers, viewers, lookers []*actor) {
	t.Helper()
	for i, video := range []guest.Video{guest.H264, guest.VP8, guest.NoVideo} {
		a := l.actor(t, []string{"video-1", "video-2", "radio"}[i])
		if video != guest.NoVideo {
			l.attend(t, a)
		}
		l.publish(t, a, video)
		publishers = append(publishers, a)
	}
	l.agrees(t, patience) // who has no socket joins a moment after the answer
	for range 2 {
		a := l.actor(t, "looker") // both under one user id
		l.attend(t, a)
		lookers = append(lookers, a)
	}
	for i := range 5 {
		a := l.actor(t, fmt.Sprint("viewer-", i+1))
		if i != 3 {
			l.attend(t, a)
		}
		viewers = append(viewers, a)
	}
	return publishers, viewers, lookers
}

// protocols checks what GetParticipant alone tells.
func protocols(t *testing.T, l *ledger) {
	t.Helper()
	for _, a := range l.people {
		out, err := l.board.GetParticipant(t.Context(), &sdk.GetParticipantInput{StageArn: &l.arn, SessionId: &l.session, ParticipantId: aws.String(a.ID())})
		must(t, err)
		want := types.ParticipantProtocolUnknown
		if a.published {
			want = types.ParticipantProtocol("WHIP")
		}
		equal(t, "protocol of "+a.UserID(), out.Participant.Protocol, want)
	}
}

// barred checks that somebody who was disconnected stays out.
func barred(t *testing.T, g *guest.Guest) {
	t.Helper()
	_, err := g.Attend(deadline(t, patience))
	refusal(t, "coming back by presence", err, 403, "PARTICIPANT_DISCONNECTED")
	_, err = g.Publish(deadline(t, patience), guest.H264)
	refusal(t, "coming back by publishing", err, 403, "PARTICIPANT_DISCONNECTED")
	_, err = g.Subscribe(deadline(t, patience), "anybody", guest.SubscribeOptions{})
	refusal(t, "coming back by subscribing", err, 403, "PARTICIPANT_DISCONNECTED")
}

// comeback has somebody leave and join again with the same token: the same
// row, in the same place of the list.
func comeback(t *testing.T, l *ledger, a *actor) {
	t.Helper()
	first := joinTime(t, l, a)
	must(t, a.Close(deadline(t, patience)))
	a.left()
	l.agrees(t, patience)
	a.Guest = bearer(t, a.token)
	l.publish(t, a, guest.NoVideo)
	l.agrees(t, patience)
	if again := joinTime(t, l, a); !again.Equal(first) {
		t.Errorf("firstJoinTime was %v and is %v after coming back", first, again)
	}
}

func joinTime(t *testing.T, l *ledger, a *actor) time.Time {
	t.Helper()
	out, err := l.board.GetParticipant(t.Context(), &sdk.GetParticipantInput{StageArn: &l.arn, SessionId: &l.session, ParticipantId: aws.String(a.ID())})
	must(t, err)
	return *out.Participant.FirstJoinTime
}

func TestATokenThatIsUsedTwiceThrowsOutWhoCameFirst(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	arn := b.stage(t)
	token := *b.token(t, arn, "ada").Token
	first, second := bearer(t, token), bearer(t, token)
	older := attendance(t, first)
	publication, err := first.Publish(deadline(t, patience), guest.H264)
	must(t, err)
	session := b.session(t, arn)
	newer := attendance(t, second)
	ended(t, "the older socket", older.Done())
	equal(t, "close code of the older socket", websocket.CloseStatus(older.Err()), websocket.StatusCode(4001))
	ended(t, "the publication of who came first", publication.Done())
	_, err = newer.Wait(deadline(t, patience), func(s guest.State) bool {
		p, here := s.Person(first.ID())
		return here && !p.IsPublishing && len(s.Participants) == 1
	})
	must(t, err)

	again, err := second.Publish(deadline(t, patience), guest.H264)
	must(t, err)
	third := bearer(t, token)
	_, err = third.Publish(deadline(t, patience), guest.VP8)
	must(t, err)
	ended(t, "the older publication", again.Done())
	list, err := b.ListParticipants(t.Context(), &sdk.ListParticipantsInput{StageArn: &arn, SessionId: &session})
	must(t, err)
	if len(list.Participants) != 1 || list.Participants[0].State != "CONNECTED" {
		t.Errorf("one token makes these participants: %s", text(list.Participants))
	}
	for _, e := range history(t, b, arn, session, first.ID()) {
		if e == "LEFT" {
			t.Error("it was recorded that somebody left who was there all the time")
		}
	}
}

func TestDeletingAStageEndsEveryoneAtOnce(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	l := &ledger{board: b, arn: b.stage(t)}
	publisher, viewer, looker := l.actor(t, "publisher"), l.actor(t, "viewer"), l.actor(t, "looker")
	publication := l.publish(t, publisher, guest.H264)
	subscription := l.subscribe(t, viewer, publisher, 5)
	l.attend(t, looker)
	l.agrees(t, patience)
	_, err := b.DeleteStage(t.Context(), &sdk.DeleteStageInput{Arn: &l.arn})
	must(t, err)
	ended(t, "the publication", publication.Done())
	ended(t, "the subscription", subscription.Done())
	ended(t, "the socket", looker.socket.Done())
	equal(t, "close code", websocket.CloseStatus(looker.socket.Err()), websocket.StatusCode(4002))
	_, err = looker.Attend(deadline(t, patience))
	refusal(t, "coming to a deleted stage", err, 404, "STAGE_DELETED")
	_, err = publisher.Publish(deadline(t, patience), guest.H264)
	refusal(t, "publishing on a deleted stage", err, 404, "STAGE_DELETED")
}

func TestASubscriptionGoesOnWhenItsPublisherPublishesAnew(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	l := &ledger{board: b, arn: b.stage(t)}
	publisher, viewer := l.actor(t, "publisher"), l.actor(t, "viewer")
	l.attend(t, publisher)
	l.attend(t, viewer)
	first := l.publish(t, publisher, guest.H264)
	s := l.subscribe(t, viewer, publisher, 5)
	must(t, first.Close(deadline(t, patience)))
	publisher.publishing = false
	publisher.did("PUBLISH_STOPPED")
	l.agrees(t, patience)
	_, err := viewer.Subscribe(deadline(t, patience), publisher.ID(), guest.SubscribeOptions{})
	refusal(t, "subscribing to somebody who does not publish", err, 409, "")
	if r, ok := errors.AsType[*guest.Refusal](err); !ok || r.RetryAfter == "" {
		t.Errorf("the refusal does not say when to try again: %v", err)
	}
	l.publish(t, publisher, guest.H264)
	must(t, s.WaitFrames(deadline(t, patience), 20))
	l.agrees(t, patience)
}

func TestWhatATokenDoesNotAllowIsRefusedAndRecorded(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	l := &ledger{board: b, arn: b.stage(t)}
	made, err := b.CreateParticipantToken(t.Context(), &sdk.CreateParticipantTokenInput{
		StageArn: &l.arn, UserId: aws.String("mute"), Capabilities: []types.ParticipantTokenCapability{},
	})
	must(t, err)
	publisher, mute := l.actor(t, "publisher"), &actor{Guest: bearer(t, *made.ParticipantToken.Token)}
	l.publish(t, publisher, guest.H264)
	l.attend(t, mute)
	_, err = mute.Publish(deadline(t, patience), guest.H264)
	refusal(t, "publishing without the capability", err, 403, "TOKEN_NOT_ALLOWED")
	mute.did("PUBLISH_ERROR INSUFFICIENT_CAPABILITIES")
	_, err = mute.Subscribe(deadline(t, patience), publisher.ID(), guest.SubscribeOptions{})
	refusal(t, "subscribing without the capability", err, 403, "TOKEN_NOT_ALLOWED")
	mute.did("SUBSCRIBE_ERROR " + publisher.ID() + "INSUFFICIENT_CAPABILITIES")
	_, err = publisher.Subscribe(deadline(t, patience), "nobody", guest.SubscribeOptions{})
	refusal(t, "subscribing to nobody", err, 404, "")
	publisher.did("SUBSCRIBE_ERROR nobodyPUBLISHER_NOT_FOUND")
	_, err = publisher.Subscribe(deadline(t, patience), publisher.ID(), guest.SubscribeOptions{})
	refusal(t, "subscribing to oneself", err, 400, "")
	l.agrees(t, patience)
}

func TestATokenThatDoesNotHoldOpensNoDoor(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	arn := b.stage(t)
	token := *b.token(t, arn, "ada").Token
	k := importedKey(t, b)
	expired := k.signed(t, b, arn, "late", time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	eternal := k.signed(t, b, arn, "eternal", time.Now(), time.Now().Add(15*24*time.Hour))
	forged := k.forgery(t, b, arn, "forged")
	for _, c := range []struct{ name, token, code string }{
		{"half a token", token[:len(token)/2], "TOKEN_MALFORMED"},
		{"a token of another signature", token[:len(token)-10] + "AAAAAAAAAA", "TOKEN_MALFORMED"},
		{"a token that has expired", expired, "TOKEN_EXPIRED"},
		{"a token that lasts too long", eternal, "TOKEN_MALFORMED"},
		{"a token signed by somebody else", forged, "TOKEN_MALFORMED"},
	} {
		r := b.request(t, http.MethodPost, "/whip", "v=0\r\n")
		r.Header.Set("Authorization", "Bearer "+c.token)
		r.Header.Set("Content-Type", "application/sdp")
		door(t, c.name+" at WHIP", reply(t, r), c.code)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, resp, err := websocket.Dial(ctx, b.url+"/events", &websocket.DialOptions{Subprotocols: []string{c.token}})
		cancel()
		if err == nil || resp == nil || resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s at the presence socket: %v", c.name, err)
		}
	}
	equal(t, "session after all that", b.session(t, arn), "")
}

// door checks a refusal with 401.
func door(t *testing.T, what string, got answer, code string) {
	t.Helper()
	var problem struct{ Code string }
	decode(t, got.body, &problem)
	if got.status != http.StatusUnauthorized || problem.Code != code || got.header.Get("Www-Authenticate") == "" {
		t.Errorf("%s: got %d %s, want 401 %s and WWW-Authenticate", what, got.status, got.body, code)
	}
}
