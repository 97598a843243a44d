//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"callboard/internal/guest"
	"callboard/internal/server"
)

// quotas has a server bound its callers by a file.
func quotas(t *testing.T, text string) func(*server.Config) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "quotas.yaml")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return func(c *server.Config) { c.Quotas = file }
}

// asAWS has a server bound its callers as AWS does.
func asAWS(c *server.Config) { c.Quotas = "aws" }

// counted is a line of /metrics.
func (b *board) counted(t *testing.T, line string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/metrics", nil)
	must(t, err)
	if page := reply(t, r).body; !strings.Contains(page, "\n"+line+"\n") {
		found := "nothing of the kind"
		for l := range strings.Lines(page) {
			if strings.HasPrefix(l, line[:strings.Index(line, "{")]) {
				found += "\n" + l
			}
		}
		t.Errorf("metrics do not have %s, but %s", line, found)
	}
}

func TestABurstIsThrottledAndTheRetriesOfTheSDKOvercomeIt(t *testing.T) {
	t.Parallel()
	b := newBoard(t, asAWS)
	arn := b.stage(t)
	const calls = 60
	var throttled atomic.Int64
	began := time.Now()
	atOnce(calls, func() {
		_, err := b.GetStage(t.Context(), &sdk.GetStageInput{Arn: &arn})
		if err == nil {
			return
		}
		throttled.Add(1)
		if said := unmodelled(t, "a call too many", err, "ThrottlingException", http.StatusTooManyRequests); said != "Rate exceeded" {
			t.Errorf("it is told as %q", said)
		}
	})
	took := time.Since(began)
	if within := calls - throttled.Load(); within < 10 || float64(within) > 10+5*took.Seconds() || within == calls {
		t.Errorf("%d of %d calls in %v were within the rate", within, calls, took)
	}
	b.counted(t, fmt.Sprintf(`callboard_throttled_calls_total{enforced="true",operation="GetStage"} %d`, throttled.Load()))
	atOnce(8, func() {
		_, err := b.GetStage(t.Context(), &sdk.GetStageInput{Arn: &arn}, func(o *sdk.Options) { o.RetryMaxAttempts = 12 })
		if err != nil {
			t.Errorf("the SDK gave up: %v", err)
		}
	})
	_, err := b.ListStages(t.Context(), &sdk.ListStagesInput{})
	must(t, err) // another operation has a bucket of its own
}

// atOnce runs f n times at once.
func atOnce(n int, f func()) {
	var all sync.WaitGroup
	for range n {
		all.Go(f)
	}
	all.Wait()
}

func TestWithoutQuotasWhatAWSWouldRefuseIsDoneAndCounted(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	arn := b.stage(t)
	atOnce(40, func() {
		_, err := b.GetStage(t.Context(), &sdk.GetStageInput{Arn: &arn})
		if err != nil {
			t.Error(err)
		}
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/metrics", nil)
	must(t, err)
	page := reply(t, r).body
	if !strings.Contains(page, `callboard_throttled_calls_total{enforced="false",operation="GetStage"} `) || strings.Contains(page, `enforced="true"`) {
		t.Error("the calls that AWS would have throttled are not counted as such")
	}
	for range 4 {
		importedKey(t, b)
	}
	b.counted(t, `callboard_quota_exceeded_total{enforced="false",quota="public-keys"} 1`)
}

func TestEachKindOfConfigurationHasAQuotaOfItsOwn(t *testing.T) {
	t.Parallel()
	b := newBoard(t, quotas(t, "encoder-configurations: 2\nstorage-configurations: 1\ningest-configurations: 3"))
	ctx := t.Context()
	for _, c := range []struct {
		name  string
		limit int
		make  func() error
	}{
		{"encoder", 2, func() error {
			_, err := b.CreateEncoderConfiguration(ctx, &sdk.CreateEncoderConfigurationInput{})
			return err
		}},
		{"storage", 1, func() error {
			_, err := b.CreateStorageConfiguration(ctx, &sdk.CreateStorageConfigurationInput{S3: &types.S3StorageConfiguration{BucketName: aws.String("recordings")}})
			return err
		}},
		{"ingest", 3, func() error {
			_, err := b.CreateIngestConfiguration(ctx, &sdk.CreateIngestConfigurationInput{IngestProtocol: types.IngestProtocolRtmps})
			return err
		}},
	} {
		for range c.limit {
			must(t, c.make())
		}
		refused[*types.ServiceQuotaExceededException](t, "one "+c.name+" configuration too many", c.make())
		b.counted(t, `callboard_quota_exceeded_total{enforced="true",quota="`+c.name+`-configurations"} 1`)
	}
}

func TestTheThirteenthPublisherIsRefusedWithAnEvent(t *testing.T) {
	t.Parallel()
	b := newBoard(t, asAWS)
	arn := b.stage(t)
	publishers := make([]*guest.Guest, 12)
	for i := range publishers {
		publishers[i] = b.guest(t, arn, fmt.Sprint("publisher-", i))
		_, err := publishers[i].Publish(deadline(t, patience), guest.H264)
		must(t, err)
	}
	late := b.guest(t, arn, "late")
	watch, err := late.Attend(deadline(t, patience)) // who only joins is no publisher and no subscriber
	must(t, err)
	_, err = watch.Wait(deadline(t, patience), func(s guest.State) bool { p, _ := s.Person(publishers[0].ID()); return p.IsPublishing })
	must(t, err)
	_, err = late.Publish(deadline(t, patience), guest.H264)
	refusal(t, "the thirteenth", err, http.StatusServiceUnavailable, "STAGE_AT_CAPACITY")
	if r, ok := errors.AsType[*guest.Refusal](err); ok && r.RetryAfter == "" {
		t.Error("the refusal does not say when to try again")
	}
	events, err := b.ListParticipantEvents(t.Context(), &sdk.ListParticipantEventsInput{
		StageArn: &arn, SessionId: aws.String(b.session(t, arn)), ParticipantId: aws.String(late.ID()),
	})
	must(t, err)
	if e := events.Events[0]; e.Name != types.EventNamePublishError || e.ErrorCode != types.EventErrorCodeQuotaExceeded {
		t.Errorf("the newest event is %s %s", e.Name, e.ErrorCode)
	}
	b.counted(t, `callboard_quota_exceeded_total{enforced="true",quota="publishers-per-stage"} 1`)

	must(t, publishers[0].Close(deadline(t, patience)))
	_, err = late.Publish(deadline(t, patience), guest.H264)
	must(t, err)
}
