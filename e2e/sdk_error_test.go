//go:build e2e

package e2e

import (
	"context"
	"crypto/elliptic"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
)

// names are what an operation is about.
type names struct{ stage, session, participant, key string }

// operation calls one operation of the SDK about something.
type operation struct {
	name string
	list bool // answers an empty page where others say not found
	call func(context.Context, *sdk.Client, names) error
}

// operations are all that name a resource; tag operations come once for each kind.
func operations() []operation {
	return []operation{
		{"GetStage", false, func(ctx context.Context, c *sdk.Client, n names) error {
			_, err := c.GetStage(ctx, &sdk.GetStageInput{Arn: &n.stage})
			return err
		}},
		{"UpdateStage", false, func(ctx context.Context, c *sdk.Client, n names) error {
			_, err := c.UpdateStage(ctx, &sdk.UpdateStageInput{Arn: &n.stage, Name: aws.String("stolen")})
			return err
		}},
		{"DeleteStage", false, func(ctx context.Context, c *sdk.Client, n names) error {
			_, err := c.DeleteStage(ctx, &sdk.DeleteStageInput{Arn: &n.stage})
			return err
		}},
		{"CreateParticipantToken", false, func(ctx context.Context, c *sdk.Client, n names) error {
			_, err := c.CreateParticipantToken(ctx, &sdk.CreateParticipantTokenInput{StageArn: &n.stage})
			return err
		}},
		{"DisconnectParticipant", false, func(ctx context.Context, c *sdk.Client, n names) error {
			_, err := c.DisconnectParticipant(ctx, &sdk.DisconnectParticipantInput{StageArn: &n.stage, ParticipantId: &n.participant})
			return err
		}},
		{"GetParticipant", false, func(ctx context.Context, c *sdk.Client, n names) error {
			_, err := c.GetParticipant(ctx, &sdk.GetParticipantInput{StageArn: &n.stage, SessionId: &n.session, ParticipantId: &n.participant})
			return err
		}},
		{"GetStageSession", false, func(ctx context.Context, c *sdk.Client, n names) error {
			_, err := c.GetStageSession(ctx, &sdk.GetStageSessionInput{StageArn: &n.stage, SessionId: &n.session})
			return err
		}},
		{"ListParticipants", true, func(ctx context.Context, c *sdk.Client, n names) error {
			out, err := c.ListParticipants(ctx, &sdk.ListParticipantsInput{StageArn: &n.stage, SessionId: &n.session})
			return notEmpty(err, func() any { return out.Participants }, func() int { return len(out.Participants) })
		}},
		{"ListParticipantEvents", true, func(ctx context.Context, c *sdk.Client, n names) error {
			out, err := c.ListParticipantEvents(ctx, &sdk.ListParticipantEventsInput{StageArn: &n.stage, SessionId: &n.session, ParticipantId: &n.participant})
			return notEmpty(err, func() any { return out.Events }, func() int { return len(out.Events) })
		}},
		{"ListStageSessions", true, func(ctx context.Context, c *sdk.Client, n names) error {
			out, err := c.ListStageSessions(ctx, &sdk.ListStageSessionsInput{StageArn: &n.stage})
			return notEmpty(err, func() any { return out.StageSessions }, func() int { return len(out.StageSessions) })
		}},
		{"GetPublicKey", false, func(ctx context.Context, c *sdk.Client, n names) error {
			_, err := c.GetPublicKey(ctx, &sdk.GetPublicKeyInput{Arn: &n.key})
			return err
		}},
		{"DeletePublicKey", false, func(ctx context.Context, c *sdk.Client, n names) error {
			_, err := c.DeletePublicKey(ctx, &sdk.DeletePublicKeyInput{Arn: &n.key})
			return err
		}},
	}
}

// tagOperations are those whose model does not declare AccessDeniedException.
func tagOperations() []operation {
	return []operation{
		{"TagResource", false, func(ctx context.Context, c *sdk.Client, n names) error {
			_, err := c.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &n.stage, Tags: map[string]string{"a": "b"}})
			return err
		}},
		{"UntagResource", false, func(ctx context.Context, c *sdk.Client, n names) error {
			_, err := c.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: &n.key, TagKeys: []string{"a"}})
			return err
		}},
		{"ListTagsForResource", false, func(ctx context.Context, c *sdk.Client, n names) error {
			_, err := c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: &n.stage})
			return err
		}},
	}
}

func notEmpty(err error, list func() any, length func() int) error {
	if err == nil && length() > 0 {
		return fmt.Errorf("it lists %s", text(list()))
	}
	return err
}

// unknown names what nobody ever made, in the account's own name.
func unknown() names {
	arn := "arn:aws:ivs:" + region + ":" + account + ":"
	return names{arn + "stage/AAAABBBBCCCC", "st-AAAABBBBCCCCD", "AAAABBBBCCCC", arn + "public-key/AAAABBBBCCCC"}
}

func TestWhatDoesNotExistIsNotFoundOrAnEmptyList(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	arn := b.stage(t)
	live := names{stage: arn, participant: "AAAABBBBCCCC"}
	attendance(t, b.guest(t, arn, "ada"))
	live.session = b.session(t, arn)
	for _, o := range append(operations(), tagOperations()...) {
		err := o.call(t.Context(), b.Client, unknown())
		if o.list {
			must(t, err)
			continue
		}
		refused[*types.ResourceNotFoundException](t, o.name, err)
	}
	for _, o := range operations() {
		switch o.name {
		case "GetParticipant", "DisconnectParticipant":
			refused[*types.ResourceNotFoundException](t, o.name+" of somebody else", o.call(t.Context(), b.Client, live))
		case "GetStageSession":
			other := names{stage: b.stage(t), session: live.session}
			refused[*types.ResourceNotFoundException](t, "a session of another stage", o.call(t.Context(), b.Client, other))
		case "ListParticipants":
			must(t, o.call(t.Context(), b.Client, names{stage: b.stage(t), session: live.session}))
		case "ListParticipantEvents":
			must(t, o.call(t.Context(), b.Client, live))
		}
	}
}

func TestResourcesOfAnotherAccountAreOutOfReach(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	foreign := unknown()
	foreign.stage = strings.Replace(foreign.stage, account, "999999999999", 1)
	foreign.key = strings.Replace(foreign.key, account, "999999999999", 1)
	for _, o := range operations() {
		refused[*types.AccessDeniedException](t, o.name, o.call(t.Context(), b.Client, foreign))
	}
	for _, o := range tagOperations() {
		said := unmodelled(t, o.name, o.call(t.Context(), b.Client, foreign), "AccessDeniedException", 403)
		if said == "" {
			t.Errorf("%s: the error has no text", o.name)
		}
	}
}

func TestADeletedStageIsGoneWithItsHistory(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	arn := b.stage(t)
	g := b.guest(t, arn, "ada")
	socket := attendance(t, g)
	gone := names{stage: arn, session: b.session(t, arn), participant: g.ID()}
	_, err := b.DeleteStage(t.Context(), &sdk.DeleteStageInput{Arn: &arn})
	must(t, err)
	ended(t, "the socket of somebody on a deleted stage", socket.Done())
	for _, o := range operations() {
		switch {
		case strings.Contains(o.name, "PublicKey"):
		case o.list:
			must(t, o.call(t.Context(), b.Client, gone))
		default:
			refused[*types.ResourceNotFoundException](t, o.name, o.call(t.Context(), b.Client, gone))
		}
	}
	_, err = g.Attend(deadline(t, patience))
	refusal(t, "a token for a deleted stage", err, 404, "STAGE_DELETED")
}

func TestBadInputIsToldApart(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	ctx, c := t.Context(), b.Client
	arn := b.stage(t)
	session := "st-AAAABBBBCCCCD"
	token := func(in sdk.CreateParticipantTokenInput) error {
		in.StageArn = &arn
		_, err := c.CreateParticipantToken(ctx, &in)
		return err
	}
	list := func(in sdk.ListParticipantsInput) error {
		in.StageArn, in.SessionId = &arn, &session
		_, err := c.ListParticipants(ctx, &in)
		return err
	}
	create := func(in sdk.CreateStageInput) error { _, err := c.CreateStage(ctx, &in); return err }
	key := func(pem string) error {
		_, err := c.ImportPublicKey(ctx, &sdk.ImportPublicKeyInput{PublicKeyMaterial: &pem})
		return err
	}
	tag := func(arn string, tags map[string]string) error {
		_, err := c.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: tags})
		return err
	}
	get := func(arn string) error { _, err := c.GetStage(ctx, &sdk.GetStageInput{Arn: &arn}); return err }
	sessionOf := func(id string) error {
		_, err := c.GetStageSession(ctx, &sdk.GetStageSessionInput{StageArn: &arn, SessionId: &id})
		return err
	}
	const detected = "1 validation error detected. Value "
	cases := []struct {
		name string
		err  error
		want string // part of the text
	}{
		{"an ARN that is none", get("stage"), detected + "at '/arn' failed to satisfy constraint: Member must satisfy regular expression pattern"},
		{"an ARN of the wrong kind", get(strings.Replace(arn, ":stage/", ":public-key/", 1)), "regular expression pattern"},
		{"an ARN of 129 characters", get(arn + strings.Repeat("a", 129-len(arn))), "with length 129 at '/arn'"},
		{"a session id that is too short", sessionOf("st-1"), detected + "with length 4 at '/sessionId' failed to satisfy constraint: Member must have length between 16 and 16, inclusive"},
		{"a session id that is none", sessionOf("xx-AAAABBBBCCCCD"), "at '/sessionId'"},
		{"no results at all", list(sdk.ListParticipantsInput{MaxResults: aws.Int32(0)}), detected + "at '/maxResults' failed to satisfy constraint: Member must be between 1 and 100, inclusive"},
		{"too many results", list(sdk.ListParticipantsInput{MaxResults: aws.Int32(101)}), "between 1 and 100"},
		{"a page token that is none", list(sdk.ListParticipantsInput{NextToken: aws.String("bm9uc2Vuc2U")}), "nextToken"},
		{"a page token with foreign letters", list(sdk.ListParticipantsInput{NextToken: aws.String("a b")}), "at '/nextToken'"},
		{"a state there is not", list(sdk.ListParticipantsInput{FilterByState: "GONE"}), "Member must satisfy enum value set: [CONNECTED, DISCONNECTED]"},
		{"the recording state one cannot ask for", list(sdk.ListParticipantsInput{FilterByRecordingState: "DISABLED"}), "at '/filterByRecordingState'"},
		{"two filters", list(sdk.ListParticipantsInput{FilterByState: "CONNECTED", FilterByPublished: true}), "nly one"},
		{"two other filters", list(sdk.ListParticipantsInput{FilterByUserId: aws.String(""), FilterByRecordingState: "ACTIVE"}), "nly one"},
		{"a token for no time", token(sdk.CreateParticipantTokenInput{Duration: aws.Int32(0)}), "between 1 and 20160"},
		{"a token for too long", token(sdk.CreateParticipantTokenInput{Duration: aws.Int32(20161)}), "between 1 and 20160"},
		{"a user id that is too long", token(sdk.CreateParticipantTokenInput{UserId: aws.String(strings.Repeat("ü", 129))}), "with length 129 at '/userId'"},
		{"a capability there is not", token(sdk.CreateParticipantTokenInput{Capabilities: []types.ParticipantTokenCapability{"SING"}}), "at '/capabilities/0'"},
		{"attributes of 1025 bytes", token(sdk.CreateParticipantTokenInput{Attributes: map[string]string{"a": strings.Repeat("b", 1024)}}), "1024"},
		{"a stage name with a space", create(sdk.CreateStageInput{Name: aws.String("a b")}), "at '/name'"},
		{"thirteen tokens with a stage", create(sdk.CreateStageInput{ParticipantTokenConfigurations: make([]types.ParticipantTokenConfiguration, 13)}), "with length 13 at '/participantTokenConfigurations'"},
		{"a bad token in a stage", create(sdk.CreateStageInput{ParticipantTokenConfigurations: []types.ParticipantTokenConfiguration{{Duration: aws.Int32(0)}}}), "at '/participantTokenConfigurations/0/duration'"},
		{"a recording without its storage", create(sdk.CreateStageInput{AutoParticipantRecordingConfiguration: &types.AutoParticipantRecordingConfiguration{
			StorageConfigurationArn: aws.String("arn:aws:ivs:" + region + ":" + account + ":storage-configuration/AAAABBBBCCCC")}}), "storage"},
		{"a tag of AWS's own", create(sdk.CreateStageInput{Tags: map[string]string{"aws:x": "y"}}), "aws:"},
		{"a key that is not PEM", key("hello"), "at '/publicKeyMaterial'"},
		{"a key that is not P-384", key(newKeyPair(t, elliptic.P256()).pem), "P-384"},
		{"a tag without a name", tag(arn, map[string]string{"": "x"}), "at '/tags'"},
		{"a tag that is too long", tag(arn, map[string]string{"a": strings.Repeat("x", 257)}), "with length 257 at '/tags/a'"},
		{"tags for what has none", tag(strings.Replace(arn, ":stage/", ":channel/", 1), map[string]string{"a": "b"}), "channel"},
	}
	for _, c := range cases {
		if said := refused[*types.ValidationException](t, c.name, c.err); !strings.Contains(said, c.want) {
			t.Errorf("%s: it is told as %q; want %q in it", c.name, said, c.want)
		}
	}
	stages, err := b.ListStages(ctx, &sdk.ListStagesInput{})
	must(t, err)
	equal(t, "stages after all that", len(stages.Stages), 1)
}

func TestTheFiftyFirstTagIsTooMany(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	arn := b.stage(t)
	tags := map[string]string{}
	for i := range 50 {
		tags[fmt.Sprint("key", i)] = "x"
	}
	_, err := b.TagResource(t.Context(), &sdk.TagResourceInput{ResourceArn: &arn, Tags: tags})
	must(t, err)
	_, err = b.TagResource(t.Context(), &sdk.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"one-more": "x"}})
	refused[*types.ValidationException](t, "TagResource", err)
	_, err = b.TagResource(t.Context(), &sdk.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"key7": "y"}})
	must(t, err)
}

func TestTheSameKeyTwiceIsAConflictAndTheFourthIsTooMany(t *testing.T) {
	t.Parallel()
	b := newBoard(t, asAWS)
	k := importedKey(t, b)
	_, err := b.ImportPublicKey(t.Context(), &sdk.ImportPublicKeyInput{PublicKeyMaterial: &k.pem})
	refused[*types.ConflictException](t, "the same key", err)
	importedKey(t, b)
	importedKey(t, b)
	fourth := newKeyPair(t, elliptic.P384())
	_, err = b.ImportPublicKey(t.Context(), &sdk.ImportPublicKeyInput{PublicKeyMaterial: &fourth.pem})
	refused[*types.ServiceQuotaExceededException](t, "the fourth key", err)
}

func TestStagesAreCountedByAccountAndRegion(t *testing.T) {
	t.Parallel()
	b := newBoard(t, quotas(t, "stages: 2"))
	first := b.stage(t)
	b.stage(t)
	_, err := b.CreateStage(t.Context(), &sdk.CreateStageInput{})
	refused[*types.ServiceQuotaExceededException](t, "the third stage", err)
	_, err = b.client(b.id, b.secret, "us-east-1").CreateStage(t.Context(), &sdk.CreateStageInput{})
	must(t, err)
	_, err = b.DeleteStage(t.Context(), &sdk.DeleteStageInput{Arn: &first})
	must(t, err)
	b.stage(t)
}

func TestAStageWithAnUnknownRecordingStorageIsNotUpdated(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	arn := b.stage(t)
	_, err := b.UpdateStage(t.Context(), &sdk.UpdateStageInput{Arn: &arn, Name: aws.String("new"),
		AutoParticipantRecordingConfiguration: &types.AutoParticipantRecordingConfiguration{
			StorageConfigurationArn: aws.String("arn:aws:ivs:" + region + ":" + account + ":storage-configuration/AAAABBBBCCCC"),
		}})
	refused[*types.ResourceNotFoundException](t, "UpdateStage", err)
	got, err := b.GetStage(t.Context(), &sdk.GetStageInput{Arn: &arn})
	must(t, err)
	equal(t, "the name, which was in the same request", got.Stage.Name, aws.String(""))
}
