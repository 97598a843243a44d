//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"callboard/internal/server"
)

// configurationARN is that of a configuration of a kind, such as "encoder".
func configurationARN(kind string) *regexp.Regexp {
	return regexp.MustCompile(`^arn:aws:ivs:` + region + `:` + account + `:` + kind + `-configuration/[a-zA-Z0-9]{12}$`)
}

// notFoundHere is the ARN of a configuration that nobody made.
func notFoundHere(kind string) *string {
	return aws.String("arn:aws:ivs:" + region + ":" + account + ":" + kind + "-configuration/AAAABBBBCCCC")
}

func (b *board) storage(t *testing.T, bucket string) *types.StorageConfiguration {
	t.Helper()
	out, err := b.CreateStorageConfiguration(t.Context(), &sdk.CreateStorageConfigurationInput{S3: &types.S3StorageConfiguration{BucketName: &bucket}})
	must(t, err)
	return out.StorageConfiguration
}

func (b *board) ingest(t *testing.T, in sdk.CreateIngestConfigurationInput) *types.IngestConfiguration {
	t.Helper()
	in.IngestProtocol = types.IngestProtocolRtmps
	out, err := b.CreateIngestConfiguration(t.Context(), &in)
	must(t, err)
	return out.IngestConfiguration
}

func TestAnEncoderConfigurationIsMadeReadListedAndDeleted(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	ctx := t.Context()
	made, err := b.CreateEncoderConfiguration(ctx, &sdk.CreateEncoderConfigurationInput{
		Name: aws.String("film"), Tags: map[string]string{"team": "radio"}, Video: &types.Video{Framerate: aws.Float32(23.976), Width: aws.Int32(1920)},
	})
	must(t, err)
	arn := aws.ToString(made.EncoderConfiguration.Arn)
	if !configurationARN("encoder").MatchString(arn) {
		t.Errorf("the ARN is %s", arn)
	}
	want := &types.EncoderConfiguration{
		Arn: &arn, Name: aws.String("film"), Tags: map[string]string{"team": "radio"},
		Video: &types.Video{Width: aws.Int32(1920), Height: aws.Int32(720), Framerate: aws.Float32(23.976), Bitrate: aws.Int32(2_500_000)},
	}
	equal(t, "CreateEncoderConfiguration", made.EncoderConfiguration, want)
	got, err := b.GetEncoderConfiguration(ctx, &sdk.GetEncoderConfigurationInput{Arn: &arn})
	must(t, err)
	equal(t, "GetEncoderConfiguration", got.EncoderConfiguration, want)
	list, err := b.ListEncoderConfigurations(ctx, &sdk.ListEncoderConfigurationsInput{})
	must(t, err)
	equal(t, "ListEncoderConfigurations", list.EncoderConfigurations, []types.EncoderConfigurationSummary{{Arn: &arn, Name: want.Name, Tags: want.Tags}})
	_, err = b.DeleteEncoderConfiguration(ctx, &sdk.DeleteEncoderConfigurationInput{Arn: &arn})
	must(t, err)
	_, err = b.GetEncoderConfiguration(ctx, &sdk.GetEncoderConfigurationInput{Arn: &arn})
	refused[*types.ResourceNotFoundException](t, "GetEncoderConfiguration after the end", err)

	for what, v := range map[string]types.Video{
		"an odd height":   {Height: aws.Int32(721)},
		"too many pixels": {Width: aws.Int32(1920), Height: aws.Int32(1200)},
		"too fast":        {Framerate: aws.Float32(60.5)},
		"too many bits":   {Bitrate: aws.Int32(8_500_001)},
	} {
		_, err = b.CreateEncoderConfiguration(ctx, &sdk.CreateEncoderConfigurationInput{Video: &v})
		refused[*types.ValidationException](t, what, err)
	}
}

func TestAStageRecordsToAStorageConfigurationThatStaysAsLong(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	ctx := t.Context()
	made := b.storage(t, "my-recordings")
	arn := made.Arn
	if !configurationARN("storage").MatchString(*arn) {
		t.Errorf("the ARN is %s", *arn)
	}
	want := &types.StorageConfiguration{
		Arn: arn, Name: aws.String(""), Tags: map[string]string{}, S3: &types.S3StorageConfiguration{BucketName: aws.String("my-recordings")},
	}
	equal(t, "CreateStorageConfiguration", made, want)
	got, err := b.GetStorageConfiguration(ctx, &sdk.GetStorageConfigurationInput{Arn: arn})
	must(t, err)
	equal(t, "GetStorageConfiguration", got.StorageConfiguration, want)
	list, err := b.ListStorageConfigurations(ctx, &sdk.ListStorageConfigurationsInput{})
	must(t, err)
	equal(t, "ListStorageConfigurations", list.StorageConfigurations, []types.StorageConfigurationSummary{{Arn: arn, Name: want.Name, S3: want.S3, Tags: want.Tags}})

	stage, err := b.CreateStage(ctx, &sdk.CreateStageInput{AutoParticipantRecordingConfiguration: &types.AutoParticipantRecordingConfiguration{
		StorageConfigurationArn: arn, MediaTypes: []types.ParticipantRecordingMediaType{"AUDIO_ONLY"},
	}})
	must(t, err)
	recording := noRecording()
	recording.StorageConfigurationArn = arn
	recording.MediaTypes = []types.ParticipantRecordingMediaType{"AUDIO_ONLY"}
	recording.RecordParticipantReplicas = stage.Stage.AutoParticipantRecordingConfiguration.RecordParticipantReplicas // the SDK cannot leave it out
	equal(t, "recording of the stage", stage.Stage.AutoParticipantRecordingConfiguration, recording)
	remove := &sdk.DeleteStorageConfigurationInput{Arn: arn}
	_, err = b.DeleteStorageConfiguration(ctx, remove)
	refused[*types.ConflictException](t, "DeleteStorageConfiguration in use", err)

	off, err := b.UpdateStage(ctx, &sdk.UpdateStageInput{Arn: stage.Stage.Arn, AutoParticipantRecordingConfiguration: &types.AutoParticipantRecordingConfiguration{
		StorageConfigurationArn: aws.String(""),
	}})
	must(t, err)
	equal(t, "recording switched off", off.Stage.AutoParticipantRecordingConfiguration, noRecording())
	_, err = b.DeleteStorageConfiguration(ctx, remove)
	must(t, err)
	_, err = b.DeleteStorageConfiguration(ctx, remove)
	refused[*types.ResourceNotFoundException](t, "DeleteStorageConfiguration again", err)

	unknown := &types.AutoParticipantRecordingConfiguration{StorageConfigurationArn: arn}
	_, err = b.CreateStage(ctx, &sdk.CreateStageInput{AutoParticipantRecordingConfiguration: unknown})
	refused[*types.ValidationException](t, "CreateStage with a storage configuration that is gone", err)
	_, err = b.UpdateStage(ctx, &sdk.UpdateStageInput{Arn: stage.Stage.Arn, AutoParticipantRecordingConfiguration: unknown})
	refused[*types.ResourceNotFoundException](t, "UpdateStage with a storage configuration that is gone", err)
}

func TestABucketThatIsNotThereIsToldWhenItIsNamed(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	must(t, os.Mkdir(filepath.Join(place, "here"), 0o700))
	b := newBoard(t, func(c *server.Config) { c.Buckets = place })
	b.storage(t, "here")
	for _, bucket := range []string{"there", "...", "..-"} {
		_, err := b.CreateStorageConfiguration(t.Context(), &sdk.CreateStorageConfigurationInput{S3: &types.S3StorageConfiguration{BucketName: &bucket}})
		refused[*types.ResourceNotFoundException](t, bucket, err)
	}
	for _, bucket := range []string{"../here", "Here", "he"} {
		_, err := b.CreateStorageConfiguration(t.Context(), &sdk.CreateStorageConfigurationInput{S3: &types.S3StorageConfiguration{BucketName: &bucket}})
		refused[*types.ValidationException](t, bucket, err)
	}
}

func TestAnIngestConfigurationIsMadeReadChangedListedAndDeleted(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	ctx := t.Context()
	stage := b.stage(t)
	made := b.ingest(t, sdk.CreateIngestConfigurationInput{
		Name: aws.String("camera"), UserId: aws.String("cam-1"), Attributes: map[string]string{"role": "camera"}, Tags: map[string]string{"a": "b"},
	})
	arn, key := *made.Arn, *made.StreamKey
	if !configurationARN("ingest").MatchString(arn) || !participantID.MatchString(*made.ParticipantId) ||
		!strings.HasPrefix(key, "rt_"+account+"_"+region+"_"+arn[strings.LastIndex(arn, "/")+1:]+"_") {
		t.Errorf("made %s with the participant %s and the key %s", arn, *made.ParticipantId, key)
	}
	want := &types.IngestConfiguration{
		Arn: &arn, Name: aws.String("camera"), IngestProtocol: "RTMPS", StageArn: aws.String(""), State: "INACTIVE",
		ParticipantId: made.ParticipantId, StreamKey: &key, UserId: aws.String("cam-1"),
		Attributes: map[string]string{"role": "camera"}, Tags: map[string]string{"a": "b"},
	}
	equal(t, "CreateIngestConfiguration", made, want)
	changed, err := b.UpdateIngestConfiguration(ctx, &sdk.UpdateIngestConfigurationInput{Arn: &arn, StageArn: &stage})
	must(t, err)
	want.StageArn = &stage
	equal(t, "UpdateIngestConfiguration", changed.IngestConfiguration, want)
	got, err := b.GetIngestConfiguration(ctx, &sdk.GetIngestConfigurationInput{Arn: &arn})
	must(t, err)
	equal(t, "GetIngestConfiguration", got.IngestConfiguration, want)

	summary := types.IngestConfigurationSummary{
		Arn: &arn, Name: want.Name, IngestProtocol: "RTMPS", StageArn: &stage, State: "INACTIVE", ParticipantId: want.ParticipantId, UserId: want.UserId,
	}
	list, err := b.ListIngestConfigurations(ctx, &sdk.ListIngestConfigurationsInput{FilterByStageArn: &stage})
	must(t, err)
	equal(t, "ListIngestConfigurations", list.IngestConfigurations, []types.IngestConfigurationSummary{summary})
	list, err = b.ListIngestConfigurations(ctx, &sdk.ListIngestConfigurationsInput{FilterByState: "ACTIVE"})
	must(t, err)
	equal(t, "those that are active", list.IngestConfigurations, []types.IngestConfigurationSummary{})
	_, err = b.ListIngestConfigurations(ctx, &sdk.ListIngestConfigurationsInput{FilterByState: "ACTIVE", FilterByStageArn: &stage})
	refused[*types.ValidationException](t, "two filters", err)

	_, err = b.DisconnectParticipant(ctx, &sdk.DisconnectParticipantInput{StageArn: &stage, ParticipantId: made.ParticipantId})
	must(t, err)
	got, err = b.GetIngestConfiguration(ctx, &sdk.GetIngestConfigurationInput{Arn: &arn})
	must(t, err)
	equal(t, "stage after DisconnectParticipant", *got.IngestConfiguration.StageArn, "")

	_, err = b.DeleteIngestConfiguration(ctx, &sdk.DeleteIngestConfigurationInput{Arn: &arn})
	must(t, err)
	_, err = b.DeleteIngestConfiguration(ctx, &sdk.DeleteIngestConfigurationInput{Arn: &arn, Force: true})
	refused[*types.ResourceNotFoundException](t, "DeleteIngestConfiguration again", err)
}

// The SDK of these tests does not know redundant ingest; it must not be in its way.
func TestRedundantIngestHasTwoStreamsAndOneFace(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	var made struct {
		IngestConfiguration struct {
			ARN, ParticipantID, StreamKey string
			RedundantIngest               bool
			RedundantIngestCredentials    []struct{ ParticipantID, StreamKey string }
		}
	}
	got := b.call(t, "CreateIngestConfiguration", `{"ingestProtocol":"rtmps","redundantIngest":true}`)
	equal(t, "status", got.status, 200)
	must(t, json.Unmarshal([]byte(got.body), &made))
	i := made.IngestConfiguration
	if len(i.RedundantIngestCredentials) != 2 || !i.RedundantIngest {
		t.Fatalf("made %s", got.body)
	}
	equal(t, "the key of the first stream", i.RedundantIngestCredentials[0].StreamKey, i.StreamKey)
	ids := map[string]bool{i.ParticipantID: true}
	for _, c := range i.RedundantIngestCredentials {
		ids[c.ParticipantID] = true
	}
	equal(t, "participants", len(ids), 3)
	read, err := b.GetIngestConfiguration(t.Context(), &sdk.GetIngestConfigurationInput{Arn: &i.ARN})
	must(t, err)
	equal(t, "what a client reads that does not know it", *read.IngestConfiguration.StreamKey, i.StreamKey)
}

func TestPlainRTMPIsMadeOnlyWithLeave(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	in := &sdk.CreateIngestConfigurationInput{IngestProtocol: types.IngestProtocolRtmp}
	_, err := b.CreateIngestConfiguration(t.Context(), in)
	refused[*types.ValidationException](t, "RTMP", err)
	in.InsecureIngest = true
	_, err = b.CreateIngestConfiguration(t.Context(), in)
	must(t, err)
	in.StageArn = aws.String(unknown().stage)
	_, err = b.CreateIngestConfiguration(t.Context(), in)
	refused[*types.ValidationException](t, "on a stage there is not", err)
}

func TestDeletingAStageLeavesItsIngestConfigurationsWithoutOne(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	stage := b.stage(t)
	made := b.ingest(t, sdk.CreateIngestConfigurationInput{StageArn: &stage})
	_, err := b.DeleteStage(t.Context(), &sdk.DeleteStageInput{Arn: &stage})
	must(t, err)
	got, err := b.GetIngestConfiguration(t.Context(), &sdk.GetIngestConfigurationInput{Arn: made.Arn})
	must(t, err)
	made.StageArn = aws.String("")
	equal(t, "the ingest configuration", got.IngestConfiguration, made)
}

func TestTheSDKsPaginatorSeesEveryIngestConfigurationOnce(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	stage := b.stage(t)
	var all, attached []string
	for i := range 53 {
		in := sdk.CreateIngestConfigurationInput{Name: aws.String(fmt.Sprintf("camera-%02d", i))}
		if i%3 == 0 {
			in.StageArn = &stage
		}
		arn := *b.ingest(t, in).Arn
		if all = append(all, arn); i%3 == 0 {
			attached = append(attached, arn)
		}
	}
	for _, c := range []struct {
		in    sdk.ListIngestConfigurationsInput
		want  []string
		pages int
	}{
		{sdk.ListIngestConfigurationsInput{}, all, 2},
		{sdk.ListIngestConfigurationsInput{MaxResults: aws.Int32(100)}, all, 1},
		{sdk.ListIngestConfigurationsInput{MaxResults: aws.Int32(7), FilterByState: "INACTIVE"}, all, 8},
		{sdk.ListIngestConfigurationsInput{MaxResults: aws.Int32(6), FilterByStageArn: &stage}, attached, 3},
	} {
		var got []string
		pages := 0
		for p := sdk.NewListIngestConfigurationsPaginator(b, &c.in); p.HasMorePages(); pages++ {
			out, err := p.NextPage(t.Context())
			must(t, err)
			for _, i := range out.IngestConfigurations {
				got = append(got, *i.Arn)
			}
		}
		equal(t, "ingest configurations", got, c.want)
		equal(t, "pages", pages, c.pages)
	}
}

func TestConfigurationsAreTagged(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	encoder, err := b.CreateEncoderConfiguration(t.Context(), &sdk.CreateEncoderConfigurationInput{})
	must(t, err)
	for _, arn := range []*string{encoder.EncoderConfiguration.Arn, b.storage(t, "bucket").Arn, b.ingest(t, sdk.CreateIngestConfigurationInput{}).Arn} {
		_, err := b.TagResource(t.Context(), &sdk.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"a": "1", "b": "2"}})
		must(t, err)
		_, err = b.UntagResource(t.Context(), &sdk.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a"}})
		must(t, err)
		tags, err := b.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceArn: arn})
		must(t, err)
		equal(t, *arn, tags.Tags, map[string]string{"b": "2"})
	}
}

func TestConfigurationsOfNobodyAreNotFoundAndThoseOfOthersOutOfReach(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	for name, o := range map[string]struct {
		kind string
		call func(context.Context, *string) error
	}{
		"GetEncoderConfiguration": {"encoder", func(ctx context.Context, arn *string) error {
			_, err := b.GetEncoderConfiguration(ctx, &sdk.GetEncoderConfigurationInput{Arn: arn})
			return err
		}},
		"DeleteEncoderConfiguration": {"encoder", func(ctx context.Context, arn *string) error {
			_, err := b.DeleteEncoderConfiguration(ctx, &sdk.DeleteEncoderConfigurationInput{Arn: arn})
			return err
		}},
		"GetStorageConfiguration": {"storage", func(ctx context.Context, arn *string) error {
			_, err := b.GetStorageConfiguration(ctx, &sdk.GetStorageConfigurationInput{Arn: arn})
			return err
		}},
		"DeleteStorageConfiguration": {"storage", func(ctx context.Context, arn *string) error {
			_, err := b.DeleteStorageConfiguration(ctx, &sdk.DeleteStorageConfigurationInput{Arn: arn})
			return err
		}},
		"GetIngestConfiguration": {"ingest", func(ctx context.Context, arn *string) error {
			_, err := b.GetIngestConfiguration(ctx, &sdk.GetIngestConfigurationInput{Arn: arn})
			return err
		}},
		"UpdateIngestConfiguration": {"ingest", func(ctx context.Context, arn *string) error {
			_, err := b.UpdateIngestConfiguration(ctx, &sdk.UpdateIngestConfigurationInput{Arn: arn})
			return err
		}},
		"DeleteIngestConfiguration": {"ingest", func(ctx context.Context, arn *string) error {
			_, err := b.DeleteIngestConfiguration(ctx, &sdk.DeleteIngestConfigurationInput{Arn: arn})
			return err
		}},
	} {
		arn := notFoundHere(o.kind)
		refused[*types.ResourceNotFoundException](t, name, o.call(t.Context(), arn))
		foreign := strings.Replace(*arn, account, "999999999999", 1)
		refused[*types.AccessDeniedException](t, name, o.call(t.Context(), &foreign))
	}
}
