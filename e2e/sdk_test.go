//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
)

var (
	stageARN      = regexp.MustCompile(`^arn:aws:ivs:` + region + `:` + account + `:stage/[a-zA-Z0-9]{12}$`)
	participantID = regexp.MustCompile(`^[a-zA-Z0-9]{12}$`)
)

// noRecording is what a stage shows that records nobody.
func noRecording() *types.AutoParticipantRecordingConfiguration {
	return &types.AutoParticipantRecordingConfiguration{
		StorageConfigurationArn:   aws.String(""),
		MediaTypes:                []types.ParticipantRecordingMediaType{"AUDIO_VIDEO"},
		RecordParticipantReplicas: true,
		HlsConfiguration:          &types.ParticipantRecordingHlsConfiguration{TargetSegmentDurationSeconds: aws.Int32(6)},
		ThumbnailConfiguration: &types.ParticipantThumbnailConfiguration{
			RecordingMode: "DISABLED", Storage: []types.ThumbnailStorageType{"SEQUENTIAL"}, TargetIntervalSeconds: aws.Int32(60),
		},
	}
}

func TestAStageIsMadeReadChangedListedAndDeleted(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	ctx := t.Context()

	made, err := b.CreateStage(ctx, &sdk.CreateStageInput{Name: aws.String("morning-show"), Tags: map[string]string{"team": "radio"}})
	must(t, err)
	arn := aws.ToString(made.Stage.Arn)
	if !stageARN.MatchString(arn) {
		t.Errorf("the stage has the ARN %s", arn)
	}
	want := &types.Stage{
		Arn:                                   &arn,
		Name:                                  aws.String("morning-show"),
		Tags:                                  map[string]string{"team": "radio"},
		AutoParticipantRecordingConfiguration: noRecording(),
		Endpoints: &types.StageEndpoints{
			Events: aws.String(strings.Replace(b.url, "http", "ws", 1) + "/events"),
			Whip:   aws.String(b.url + "/whip"),
		},
	}
	equal(t, "CreateStage", made.Stage, want)
	equal(t, "tokens nobody asked for", len(made.ParticipantTokens), 0)

	got, err := b.GetStage(ctx, &sdk.GetStageInput{Arn: &arn})
	must(t, err)
	equal(t, "GetStage", got.Stage, want)

	summary := types.StageSummary{Arn: &arn, Name: want.Name, Tags: want.Tags}
	list, err := b.ListStages(ctx, &sdk.ListStagesInput{})
	must(t, err)
	equal(t, "ListStages", list.Stages, []types.StageSummary{summary})
	equal(t, "nextToken of the only page", list.NextToken, (*string)(nil))

	want.Name = aws.String("evening-show")
	changed, err := b.UpdateStage(ctx, &sdk.UpdateStageInput{Arn: &arn, Name: want.Name})
	must(t, err)
	equal(t, "UpdateStage", changed.Stage, want)
	unchanged, err := b.UpdateStage(ctx, &sdk.UpdateStageInput{Arn: &arn})
	must(t, err)
	equal(t, "UpdateStage of nothing", unchanged.Stage, want)

	_, err = b.DeleteStage(ctx, &sdk.DeleteStageInput{Arn: &arn})
	must(t, err)
	list, err = b.ListStages(ctx, &sdk.ListStagesInput{})
	must(t, err)
	equal(t, "ListStages after the end", list.Stages, []types.StageSummary{})
}

func TestAStageWithoutANameHasAnEmptyOneAndNoTags(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	made, err := b.CreateStage(t.Context(), &sdk.CreateStageInput{})
	must(t, err)
	equal(t, "name", made.Stage.Name, aws.String(""))
	equal(t, "tags", made.Stage.Tags, map[string]string{})
}

func TestAStageOfAnotherRegionIsNotThere(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	arn := b.stage(t)
	elsewhere := b.client(b.id, b.secret, "us-west-2")
	list, err := elsewhere.ListStages(t.Context(), &sdk.ListStagesInput{})
	must(t, err)
	equal(t, "stages of the other region", list.Stages, []types.StageSummary{})
	_, err = elsewhere.GetStage(t.Context(), &sdk.GetStageInput{Arn: &arn})
	refused[*types.ResourceNotFoundException](t, "GetStage", err)
	made, err := elsewhere.CreateStage(t.Context(), &sdk.CreateStageInput{})
	must(t, err)
	if !strings.HasPrefix(*made.Stage.Arn, "arn:aws:ivs:us-west-2:"+account+":stage/") {
		t.Errorf("a stage made in us-west-2 has the ARN %s", *made.Stage.Arn)
	}
}

func TestMoreThanAHundredStagesAreListedInPagesInTheOrderOfTheirCreation(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	var want []string
	for i := range 120 {
		made, err := b.CreateStage(t.Context(), &sdk.CreateStageInput{Name: aws.String(fmt.Sprintf("stage-%03d", i))})
		must(t, err)
		want = append(want, *made.Stage.Arn)
	}
	for _, size := range []*int32{nil, aws.Int32(1), aws.Int32(7), aws.Int32(60), aws.Int32(100)} {
		var got []string
		in := &sdk.ListStagesInput{MaxResults: size}
		for {
			out, err := b.ListStages(t.Context(), in)
			must(t, err)
			for _, s := range out.Stages {
				got = append(got, *s.Arn)
			}
			if size == nil && out.NextToken != nil {
				equal(t, "stages on a page by default", len(out.Stages), 50)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		equal(t, "stages in pages of "+text(size), got, want)
	}
}

func TestTokensAreIssuedAsTheyWereAskedFor(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	both := []types.ParticipantTokenCapability{"PUBLISH", "SUBSCRIBE"}
	cases := []struct {
		name string
		in   types.ParticipantTokenConfiguration
		want types.ParticipantToken // its duration says when it expires
	}{
		{"with nothing said", types.ParticipantTokenConfiguration{},
			types.ParticipantToken{UserId: aws.String(""), Duration: aws.Int32(720), Capabilities: both}},
		{"with everything said", types.ParticipantTokenConfiguration{
			UserId: aws.String("アリス"), Attributes: map[string]string{"role": "host", "": "x"}, Duration: aws.Int32(20160),
			Capabilities: []types.ParticipantTokenCapability{"SUBSCRIBE"}},
			types.ParticipantToken{UserId: aws.String("アリス"), Attributes: map[string]string{"role": "host", "": "x"},
				Duration: aws.Int32(20160), Capabilities: []types.ParticipantTokenCapability{"SUBSCRIBE"}}},
		{"with a capability twice", types.ParticipantTokenConfiguration{Duration: aws.Int32(1),
			Capabilities: []types.ParticipantTokenCapability{"PUBLISH", "PUBLISH"}},
			types.ParticipantToken{UserId: aws.String(""), Duration: aws.Int32(1),
				Capabilities: []types.ParticipantTokenCapability{"PUBLISH"}}},
		{"with no capability at all", types.ParticipantTokenConfiguration{Capabilities: []types.ParticipantTokenCapability{}},
			types.ParticipantToken{UserId: aws.String(""), Duration: aws.Int32(720), Capabilities: []types.ParticipantTokenCapability{}}},
	}
	arn := b.stage(t)
	var asked []types.ParticipantTokenConfiguration
	for _, c := range cases {
		asked = append(asked, c.in)
		out, err := b.CreateParticipantToken(t.Context(), &sdk.CreateParticipantTokenInput{
			StageArn: &arn, UserId: c.in.UserId, Attributes: c.in.Attributes, Duration: c.in.Duration, Capabilities: c.in.Capabilities,
		})
		must(t, err)
		sameToken(t, "CreateParticipantToken "+c.name, out.ParticipantToken, c.want, b, arn)
	}
	made, err := b.CreateStage(t.Context(), &sdk.CreateStageInput{ParticipantTokenConfigurations: asked})
	must(t, err)
	if len(made.ParticipantTokens) != len(cases) {
		t.Fatalf("CreateStage gave %d tokens for %d wishes", len(made.ParticipantTokens), len(cases))
	}
	for i, c := range cases {
		sameToken(t, "CreateStage "+c.name, &made.ParticipantTokens[i], c.want, b, *made.Stage.Arn)
	}
}

// sameToken compares an issued token, and what stands in it, with the one wanted.
func sameToken(t *testing.T, what string, got *types.ParticipantToken, want types.ParticipantToken, b *board, arn string) {
	t.Helper()
	if !participantID.MatchString(*got.ParticipantId) {
		t.Errorf("%s: the participant id is %q", what, *got.ParticipantId)
	}
	life := time.Duration(*want.Duration) * time.Minute
	if left := time.Until(*got.ExpirationTime); left > life || left < life-time.Minute {
		t.Errorf("%s: expires in %v, want about %v", what, left, life)
	}
	want.ParticipantId, want.Token, want.ExpirationTime = got.ParticipantId, got.Token, got.ExpirationTime
	equal(t, what, *got, want)

	header, claims := jwt(t, *got.Token)
	equal(t, what+": alg and typ", []any{header["alg"], header["typ"]}, []any{"ES384", "JWT"})
	wanted := map[string]any{
		"jti": *got.ParticipantId, "resource": arn, "topic": arn[strings.LastIndex(arn, "/")+1:], "version": "1.0",
		"exp":        float64(got.ExpirationTime.Unix()),
		"iat":        float64(got.ExpirationTime.Add(-life).Unix()),
		"events_url": strings.Replace(b.url, "http", "ws", 1) + "/events", "whip_url": b.url + "/whip",
	}
	if *want.UserId != "" {
		wanted["user_id"] = *want.UserId
	}
	if want.Attributes != nil {
		wanted["attributes"] = map[string]any{"role": "host", "": "x"}
	}
	capabilities := map[string]any{}
	for _, c := range want.Capabilities {
		capabilities["allow_"+strings.ToLower(string(c))] = true
	}
	given, _ := claims["capabilities"].(map[string]any)
	maps.DeleteFunc(given, func(_ string, v any) bool { return v == false }) // absent means the same
	equal(t, what+": capabilities in the token", given, capabilities)
	delete(claims, "capabilities")
	equal(t, what+": claims", claims, wanted)
}

// jwt reads header and claims of a token, as a client does: without verifying it.
func jwt(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("a token has %d parts", len(parts))
	}
	for i, v := range []*map[string]any{&header, &claims} {
		data, err := base64.RawURLEncoding.DecodeString(parts[i])
		must(t, err)
		must(t, json.Unmarshal(data, v))
	}
	return header, claims
}
