//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"callboard/internal/server"
)

func TestASessionIsToldFromItsFirstJoinToItsEnd(t *testing.T) {
	t.Parallel()
	b := newBoard(t, func(c *server.Config) { c.Linger = 0 })
	ctx := t.Context()
	arn := b.stage(t)
	equal(t, "session before anybody joined", b.session(t, arn), "")

	began := time.Now().Truncate(time.Millisecond)
	made, err := b.CreateParticipantToken(ctx, &sdk.CreateParticipantTokenInput{
		StageArn: &arn, UserId: aws.String("ada"), Attributes: map[string]string{"seat": "1"},
	})
	must(t, err)
	g := bearer(t, *made.ParticipantToken.Token)
	socket := attendance(t, g)
	session := b.session(t, arn)
	if len(session) != 16 || session[:3] != "st-" {
		t.Fatalf("the session id is %q", session)
	}
	live, err := b.GetStageSession(ctx, &sdk.GetStageSessionInput{StageArn: &arn, SessionId: &session})
	must(t, err)
	if start := *live.StageSession.StartTime; start.Before(began) || start.After(time.Now()) {
		t.Errorf("the session began at %v, the join at %v", start, began)
	}
	equal(t, "live session", live.StageSession, &types.StageSession{SessionId: &session, StartTime: live.StageSession.StartTime})
	sessions, err := b.ListStageSessions(ctx, &sdk.ListStageSessionsInput{StageArn: &arn})
	must(t, err)
	equal(t, "ListStageSessions", sessions.StageSessions, []types.StageSessionSummary{{SessionId: &session, StartTime: live.StageSession.StartTime}})
	equal(t, "token of the only page", sessions.NextToken, (*string)(nil))
	list, err := b.ListStages(ctx, &sdk.ListStagesInput{})
	must(t, err)
	equal(t, "activeSessionId in ListStages", list.Stages[0].ActiveSessionId, &session)

	joined := present(t, b, arn, session, g.ID())
	must(t, socket.Close(deadline(t, patience)))
	ended := absent(t, b, arn, session, g.ID(), joined)
	must(t, g.Close(deadline(t, patience)))

	done, err := b.GetStageSession(ctx, &sdk.GetStageSessionInput{StageArn: &arn, SessionId: &session})
	must(t, err)
	equal(t, "ended session", done.StageSession, &types.StageSession{
		SessionId: &session, StartTime: live.StageSession.StartTime, EndTime: &ended,
	})
	equal(t, "session after the last left", b.session(t, arn), "")

	attendance(t, b.guest(t, arn, "bob"))
	sessions, err = b.ListStageSessions(ctx, &sdk.ListStageSessionsInput{StageArn: &arn})
	must(t, err)
	if len(sessions.StageSessions) != 2 || *sessions.StageSessions[1].SessionId != session {
		t.Errorf("the newest session is not first: %s", text(sessions.StageSessions))
	}
}

// present checks what the API says of ada while she is there, and gives the time she joined.
func present(t *testing.T, b *board, arn, session, id string) *time.Time {
	t.Helper()
	ctx := t.Context()
	out, err := b.GetParticipant(ctx, &sdk.GetParticipantInput{StageArn: &arn, SessionId: &session, ParticipantId: &id})
	must(t, err)
	p := out.Participant
	if p.FirstJoinTime == nil || time.Since(*p.FirstJoinTime) > time.Minute {
		t.Fatalf("firstJoinTime is %v", p.FirstJoinTime)
	}
	empty := aws.String("")
	want := &types.Participant{
		ParticipantId: &id, UserId: aws.String("ada"), State: "CONNECTED", FirstJoinTime: p.FirstJoinTime,
		Attributes: map[string]string{"seat": "1"}, Protocol: "UNKNOWN", RecordingState: "DISABLED", ReplicationType: "NONE",
		RecordingS3BucketName: empty, RecordingS3Prefix: empty, IspName: empty, SdkVersion: p.SdkVersion,
		OsName: p.OsName, OsVersion: p.OsVersion, BrowserName: p.BrowserName, BrowserVersion: p.BrowserVersion,
	}
	equal(t, "GetParticipant", p, want)
	for _, field := range []*string{p.SdkVersion, p.OsName, p.OsVersion, p.BrowserName, p.BrowserVersion} {
		if field == nil {
			t.Errorf("what is not known of the software is absent, not empty: %s", text(p))
		}
	}
	listed, err := b.ListParticipants(ctx, &sdk.ListParticipantsInput{StageArn: &arn, SessionId: &session})
	must(t, err)
	equal(t, "ListParticipants", listed.Participants, []types.ParticipantSummary{{
		ParticipantId: &id, UserId: aws.String("ada"), State: "CONNECTED", FirstJoinTime: p.FirstJoinTime,
		RecordingState: "DISABLED", ReplicationType: "NONE",
	}})
	equal(t, "token of the only page", listed.NextToken, (*string)(nil))
	events, err := b.ListParticipantEvents(ctx, &sdk.ListParticipantEventsInput{StageArn: &arn, SessionId: &session, ParticipantId: &id})
	must(t, err)
	equal(t, "ListParticipantEvents", events.Events, []types.Event{{Name: "JOINED", ParticipantId: &id, EventTime: p.FirstJoinTime}})
	return p.FirstJoinTime
}

// absent checks what the API says of ada after she left, and gives the time of that.
func absent(t *testing.T, b *board, arn, session, id string, joined *time.Time) time.Time {
	t.Helper()
	ctx := t.Context()
	var left types.Event
	eventually(t, patience, func() string {
		events, err := b.ListParticipantEvents(ctx, &sdk.ListParticipantEventsInput{StageArn: &arn, SessionId: &session, ParticipantId: &id})
		must(t, err)
		if len(events.Events) != 2 {
			return "no LEFT yet: " + text(events.Events)
		}
		left = events.Events[0]
		equal(t, "events, newest first", events.Events, []types.Event{
			{Name: "LEFT", ParticipantId: &id, EventTime: left.EventTime},
			{Name: "JOINED", ParticipantId: &id, EventTime: joined},
		})
		return ""
	})
	listed, err := b.ListParticipants(ctx, &sdk.ListParticipantsInput{StageArn: &arn, SessionId: &session})
	must(t, err)
	if len(listed.Participants) != 1 || listed.Participants[0].State != "DISCONNECTED" || !listed.Participants[0].FirstJoinTime.Equal(*joined) {
		t.Errorf("after leaving the list is %s", text(listed.Participants))
	}
	return *left.EventTime
}

func TestATokenThatNobodyUsedIsNoParticipant(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	arn := b.stage(t)
	attendance(t, b.guest(t, arn, "here"))
	session := b.session(t, arn)
	issued := b.token(t, arn, "not here")
	_, err := b.GetParticipant(t.Context(), &sdk.GetParticipantInput{StageArn: &arn, SessionId: &session, ParticipantId: issued.ParticipantId})
	refused[*types.ResourceNotFoundException](t, "GetParticipant", err)
	list, err := b.ListParticipants(t.Context(), &sdk.ListParticipantsInput{StageArn: &arn, SessionId: &session})
	must(t, err)
	equal(t, "participants", len(list.Participants), 1)
}

func TestDisconnectParticipantIsOverAtOnceAndMayBeSaidTwice(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	arn := b.stage(t)
	g := b.guest(t, arn, "ada")
	socket := attendance(t, g)
	session := b.session(t, arn)
	for range 2 {
		_, err := b.DisconnectParticipant(t.Context(), &sdk.DisconnectParticipantInput{
			StageArn: &arn, ParticipantId: aws.String(g.ID()), Reason: aws.String("spam"),
		})
		must(t, err)
		list, err := b.ListParticipants(t.Context(), &sdk.ListParticipantsInput{StageArn: &arn, SessionId: &session})
		must(t, err)
		if len(list.Participants) != 1 || list.Participants[0].State != "DISCONNECTED" {
			t.Errorf("after DisconnectParticipant the list is %s", text(list.Participants))
		}
	}
	ended(t, "the socket of the disconnected one", socket.Done())

	unused := b.token(t, arn, "never comes")
	_, err := b.DisconnectParticipant(t.Context(), &sdk.DisconnectParticipantInput{StageArn: &arn, ParticipantId: unused.ParticipantId})
	must(t, err)
	_, err = bearer(t, *unused.Token).Attend(deadline(t, patience))
	refusal(t, "a token that was barred before its first use", err, 403, "PARTICIPANT_DISCONNECTED")
}
