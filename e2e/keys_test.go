//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	"github.com/aws/smithy-go"
)

// accessKey is what "callboard keys create --json" prints.
type accessKey struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Arn             string
}

// keys runs "callboard keys" beside the running program.
func (p *binary) keys(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(deadline(t, patience), p.path, append([]string{"keys"}, append(args, "--data", p.dir)...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("keys %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// key makes an access key.
func (p *binary) key(t *testing.T, args ...string) accessKey {
	t.Helper()
	var k accessKey
	decode(t, p.keys(t, append([]string{"create", "--json"}, args...)...), &k)
	return k
}

// as is an SDK client with an access key.
func (p *binary) as(k accessKey) *sdk.Client {
	return sdk.New(sdk.Options{
		BaseEndpoint: aws.String(p.url), Region: region, HTTPClient: web{}, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(k.AccessKeyID, k.SecretAccessKey, k.SessionToken),
	})
}

// policy writes a policy of one statement to a file and gives its name.
func policy(t *testing.T, name string, statement map[string]any) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statement})
	must(t, err)
	path := filepath.Join(t.TempDir(), name+".json")
	must(t, os.WriteFile(path, data, 0o600))
	return path
}

// wantCode demands an error that the model of the API does not have.
func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func TestAccessKeysAreMadeAndEndedWhileTheServerRuns(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p := newBinary(t)
	p.start(t)
	show := map[string]string{"app": "show"}
	made, err := p.CreateStage(ctx, &sdk.CreateStageInput{Tags: show})
	must(t, err)
	tagged, bare := made.Stage.Arn, aws.String(p.stage(t))

	reader := p.key(t, "--account", account, "--name", "dashboard", "--policy", "IVSReadOnlyAccess")
	readonly := p.as(reader)
	list, err := readonly.ListStages(ctx, &sdk.ListStagesInput{})
	must(t, err)
	equal(t, "stages that a reader sees", len(list.Stages), 2)
	_, err = readonly.CreateStage(ctx, &sdk.CreateStageInput{})
	said := refused[*types.AccessDeniedException](t, "CreateStage by a reader", err)
	equal(t, "the denial", said, "User: arn:aws:iam::"+account+":user/dashboard is not authorized to perform: ivs:CreateStage on resource: arn:aws:ivs:"+
		region+":"+account+":stage/* because no identity-based policy allows the ivs:CreateStage action")

	backend := p.as(p.key(t, "--account", account, "--name", "backend", "--policy", policy(t, "tokens", map[string]any{
		"Effect": "Allow", "Action": "ivs:CreateParticipantToken", "Resource": "arn:aws:ivs:*:*:stage/*",
		"Condition": map[string]any{"StringEquals": map[string]string{"aws:ResourceTag/app": "show"}},
	})))
	_, err = backend.CreateParticipantToken(ctx, &sdk.CreateParticipantTokenInput{StageArn: tagged})
	must(t, err)
	_, err = backend.CreateParticipantToken(ctx, &sdk.CreateParticipantTokenInput{StageArn: bare})
	refused[*types.AccessDeniedException](t, "a token for an untagged stage", err)
	_, err = backend.GetStage(ctx, &sdk.GetStageInput{Arn: tagged})
	refused[*types.AccessDeniedException](t, "GetStage by a backend that makes tokens", err)
	_, err = p.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: bare, Tags: show})
	must(t, err)
	_, err = backend.CreateParticipantToken(ctx, &sdk.CreateParticipantTokenInput{StageArn: bare})
	must(t, err)

	p.keys(t, "revoke", reader.AccessKeyID)
	eventually(t, 2*time.Second, func() string {
		if _, err := readonly.ListStages(ctx, &sdk.ListStagesInput{}); err == nil {
			return "a revoked key still works"
		}
		return ""
	})
	_, err = readonly.ListStages(ctx, &sdk.ListStagesInput{})
	wantCode(t, "a revoked key", err, "UnrecognizedClientException")

	log := p.end()
	for _, secret := range []string{reader.SecretAccessKey, p.secret} {
		if strings.Contains(log+p.keys(t, "list")+p.keys(t, "list", "--json"), secret) {
			t.Error("a secret is shown")
		}
	}
}

func TestTemporaryCredentialsWorkAndExpire(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p := newBinary(t)
	p.start(t)
	k := p.key(t, "--account", account, "--name", "visitor", "--policy", "IVSReadOnlyAccess", "--temporary", "3s")
	equal(t, "principal", k.Arn, "arn:aws:sts::"+account+":federated-user/visitor")
	_, err := p.as(k).ListStages(ctx, &sdk.ListStagesInput{})
	must(t, err)
	for _, token := range []string{"", "wrong"} {
		bad := k
		bad.SessionToken = token
		_, err = p.as(bad).ListStages(ctx, &sdk.ListStagesInput{})
		wantCode(t, "session token "+token, err, "UnrecognizedClientException")
	}
	eventually(t, patience, func() string {
		if _, err = p.as(k).ListStages(ctx, &sdk.ListStagesInput{}); err == nil {
			return "the credentials do not end"
		}
		return ""
	})
	wantCode(t, "expired credentials", err, "ExpiredTokenException")
}

func TestRotatedKeysOverlapForTheGrace(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p := newBinary(t)
	p.start(t)
	old := p.key(t, "--account", account, "--policy", "IVSReadOnlyAccess")
	var next accessKey
	decode(t, p.keys(t, "rotate", old.AccessKeyID, "--json"), &next)
	for _, k := range []accessKey{old, next} {
		_, err := p.as(k).ListStages(ctx, &sdk.ListStagesInput{})
		must(t, err)
		_, err = p.as(k).CreateStage(ctx, &sdk.CreateStageInput{})
		refused[*types.AccessDeniedException](t, "CreateStage", err)
	}
	p.keys(t, "rotate", next.AccessKeyID, "--grace", "0")
	var err error
	eventually(t, 2*time.Second, func() string {
		if _, err = p.as(next).ListStages(ctx, &sdk.ListStagesInput{}); err == nil {
			return "a key that was replaced at once still works"
		}
		return ""
	})
	wantCode(t, "a key that was replaced", err, "ExpiredTokenException")
}

func TestTwoAccountsSeeNothingOfEachOther(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p := newBinary(t)
	p.start(t)
	ours, theirs := p.as(p.key(t, "--account", account)), p.as(p.key(t, "--account", "999988887777"))
	made, err := ours.CreateStage(ctx, &sdk.CreateStageInput{})
	must(t, err)
	list, err := theirs.ListStages(ctx, &sdk.ListStagesInput{})
	must(t, err)
	equal(t, "stages of the other account", len(list.Stages), 0)
	n := names{stage: *made.Stage.Arn, session: "st-AbCdEfGhIjKlM", participant: "AbCdEfGhIjKl",
		key: "arn:aws:ivs:" + region + ":" + account + ":public-key/f99cde61-c2b0-4df3-8941-ca7d38acca1a"}
	for _, op := range operations() {
		refused[*types.AccessDeniedException](t, op.name, op.call(ctx, theirs, n))
	}
	made, err = theirs.CreateStage(ctx, &sdk.CreateStageInput{})
	must(t, err)
	if !strings.Contains(*made.Stage.Arn, ":999988887777:") {
		t.Errorf("the other account makes %s", *made.Stage.Arn)
	}
	list, err = ours.ListStages(ctx, &sdk.ListStagesInput{})
	must(t, err)
	equal(t, "our stages", len(list.Stages), 1)
}
