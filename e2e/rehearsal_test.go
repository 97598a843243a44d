//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"callboard/internal/guest"
	"callboard/internal/server"
)

func emulator(c *server.Config) { c.Dev = true }

// rehearse posts to the door for tests.
func (b *board) rehearse(t *testing.T, path, body string, status int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/callboard/v1/"+path, strings.NewReader(body))
	must(t, err)
	if a := reply(t, r); a.status != status {
		t.Fatalf("%s answers %d %s", path, a.status, a.body)
	}
}

func TestTwelveHoursPassInAMomentForARealPublisher(t *testing.T) {
	t.Parallel()
	b := newBoard(t, emulator)
	ctx := deadline(t, patience)
	arn := b.stage(t)
	alice, bob := b.guest(t, arn, "alice"), b.guest(t, arn, "bob")
	_, err := alice.Publish(ctx, guest.H264)
	must(t, err)
	b.rehearse(t, "clock", `{"advance":"13h"}`, http.StatusOK)
	if _, err := bob.Publish(ctx, guest.H264); err == nil || !strings.Contains(err.Error(), "TOKEN_EXPIRED") {
		t.Errorf("bob, whose token has expired: %v", err)
	}
	// Who publishes already goes on: the clock does not move connections.
	roll, err := b.ListParticipants(ctx, &ivsrealtime.ListParticipantsInput{StageArn: &arn, SessionId: aws.String(b.session(t, arn))})
	must(t, err)
	if len(roll.Participants) != 1 || roll.Participants[0].State != types.ParticipantStateConnected {
		t.Errorf("on the stage are %s", text(roll.Participants))
	}
}

func TestAResetFindsEverybodyAndLeavesNobody(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "seed.yaml")
	must(t, os.WriteFile(file, []byte("stages: [{name: lobby, id: Lobby0000001}]"), 0o600))
	b := newBoard(t, emulator, func(c *server.Config) { c.Seed = file })
	ctx := deadline(t, patience)
	stages, err := b.ListStages(ctx, &ivsrealtime.ListStagesInput{})
	must(t, err)
	arn := aws.ToString(stages.Stages[0].Arn)
	alice, bob := b.guest(t, arn, "alice"), b.guest(t, arn, "bob")
	_, err = alice.Publish(ctx, guest.H264)
	must(t, err)
	watch, err := bob.Attend(ctx)
	must(t, err)
	_, err = watch.Wait(ctx, func(s guest.State) bool { p, _ := s.Person(alice.ID()); return p.IsPublishing })
	must(t, err)
	sub, err := bob.Subscribe(ctx, alice.ID(), guest.SubscribeOptions{})
	must(t, err)
	must(t, sub.WaitFrames(ctx, 2))
	b.stage(t)

	began := time.Now()
	b.rehearse(t, "reset", "", http.StatusNoContent)
	t.Logf("the reset took %v", time.Since(began))
	select {
	case <-watch.Done():
	case <-ctx.Done():
		t.Fatal("bob's socket is still open")
	}
	stages, err = b.ListStages(ctx, &ivsrealtime.ListStagesInput{})
	must(t, err)
	if len(stages.Stages) != 1 || aws.ToString(stages.Stages[0].Arn) != arn || stages.Stages[0].ActiveSessionId != nil {
		t.Errorf("there are %s", text(stages.Stages))
	}
	carol := b.guest(t, arn, "carol")
	_, err = carol.Attend(ctx)
	must(t, err)
	roll, err := b.ListParticipants(ctx, &ivsrealtime.ListParticipantsInput{StageArn: &arn, SessionId: aws.String(b.session(t, arn))})
	must(t, err)
	if len(roll.Participants) != 1 || aws.ToString(roll.Participants[0].UserId) != "carol" {
		t.Errorf("on the stage are %s", text(roll.Participants))
	}
}
