//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
)

func TestTheFrontDoorTellsStrangersWhyTheyStayOut(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	arn := b.stage(t)
	right := b.signature()
	cases := []struct {
		name   string
		change func(*signature)
		code   string
		want   string // part of the text
	}{
		{"a wrong secret", func(s *signature) { s.secret = "not-the-secret" }, "InvalidSignatureException", "signature"},
		{"an unknown access key", func(s *signature) { s.id = "AKIAAAAABBBBCCCCDDDD" }, "UnrecognizedClientException", "The security token included in the request is invalid."},
		{"a clock that is slow", func(s *signature) { s.at = s.at.Add(-6 * time.Minute) }, "InvalidSignatureException", "Signature expired"},
		{"a clock that is fast", func(s *signature) { s.at = s.at.Add(6 * time.Minute) }, "InvalidSignatureException", "Signature not yet current"},
		{"the name of another service", func(s *signature) { s.service = "s3" }, "InvalidSignatureException", "Credential should be scoped to correct service: 'ivs'"},
	}
	for _, c := range cases {
		s := right
		c.change(&s)
		r := b.request(t, http.MethodPost, "/GetStage", `{"arn":"`+arn+`"}`)
		got := reply(t, s.on(t, r))
		stranger(t, c.name, got, c.code)
		if !strings.Contains(got.message(), c.want) {
			t.Errorf("%s: it is told as %q; want %q in it", c.name, got.message(), c.want)
		}
	}
	_, err := b.client(b.id, "not-the-secret", region).ListStages(t.Context(), &sdk.ListStagesInput{})
	unmodelled(t, "a wrong secret in the SDK", err, "InvalidSignatureException", http.StatusForbidden)
	_, err = b.client("AKIAAAAABBBBCCCCDDDD", b.secret, region).ListStages(t.Context(), &sdk.ListStagesInput{})
	unmodelled(t, "an unknown key in the SDK", err, "UnrecognizedClientException", http.StatusForbidden)
}

// stranger checks an answer to somebody whose signature does not hold.
func stranger(t *testing.T, what string, got answer, code string) {
	t.Helper()
	if got.status != http.StatusForbidden || got.code() != code || got.message() == "" {
		t.Errorf("%s: got %d %s %s, want 403 %s", what, got.status, got.code(), got.body, code)
	}
	commonHeaders(t, what, got)
}

// commonHeaders checks what every answer of the API carries.
func commonHeaders(t *testing.T, what string, got answer) {
	t.Helper()
	for _, name := range []string{
		"Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Cache-Control", "Content-Security-Policy",
		"X-Content-Type-Options", "X-Frame-Options", "X-Amzn-Requestid", "Date",
	} {
		if got.header.Get(name) == "" {
			t.Errorf("%s: the answer has no %s", what, name)
		}
	}
	if got.header.Get("Strict-Transport-Security") != "" {
		t.Errorf("%s: a server on plain HTTP asks for HTTPS", what)
	}
}

func TestASignatureCoversTheWholeRequest(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	mine, other := b.stage(t), b.stage(t)
	signed := func(body string) *http.Request {
		return b.signature().on(t, b.request(t, http.MethodPost, "/GetStage", body))
	}
	body := func(arn string) string { return `{"arn":"` + arn + `"}` }
	equal(t, "the request as it was signed", reply(t, signed(body(mine))).status, http.StatusOK)

	forged := signed(body(mine))
	changed := b.request(t, http.MethodPost, "/GetStage", body(other))
	changed.Header = forged.Header
	stranger(t, "another body", reply(t, changed), "InvalidSignatureException")
	changed = b.request(t, http.MethodPost, "/DeleteStage", body(mine))
	changed.Header = forged.Header
	stranger(t, "another operation", reply(t, changed), "InvalidSignatureException")
	changed = b.request(t, http.MethodPost, "/GetStage?x=y", body(mine))
	changed.Header = forged.Header
	stranger(t, "another query", reply(t, changed), "InvalidSignatureException")

	stranger(t, "no signature", reply(t, b.request(t, http.MethodPost, "/GetStage", body(mine))), "MissingAuthenticationTokenException")
	nonsense := b.request(t, http.MethodPost, "/GetStage", body(mine))
	nonsense.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=nonsense")
	stranger(t, "half a signature", reply(t, nonsense), "IncompleteSignatureException")
	for _, path := range []string{"/", "/NoSuchOperation", "/getstage", "/GetStage/", "//GetStage"} {
		r := b.signature().on(t, b.request(t, http.MethodPost, path, body(mine)))
		stranger(t, "the path "+path, reply(t, r), "MissingAuthenticationTokenException")
	}
	get := b.signature().on(t, b.request(t, http.MethodGet, "/GetStage", ""))
	stranger(t, "the wrong method", reply(t, get), "MissingAuthenticationTokenException")
}

func TestWhatIsNotJSONIsToldApartFromWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	arn := b.stage(t)
	cases := []struct {
		name, operation, body string
		status                int
		code                  string
	}{
		{"no JSON", "GetStage", `{"arn":`, 400, "SerializationException"},
		{"a list", "GetStage", `[]`, 400, "SerializationException"},
		{"something after the end", "GetStage", `{"arn":"` + arn + `"} x`, 400, "SerializationException"},
		{"a number for a text", "GetStage", `{"arn":7}`, 400, "SerializationException"},
		{"half a result", "ListStages", `{"maxResults":1.5}`, 400, "SerializationException"},
		{"a text for a truth", "ListParticipants", `{"stageArn":"` + arn + `","sessionId":"st-AAAABBBBCCCCD","filterByPublished":"true"}`, 400, "SerializationException"},
		{"nothing where something is required", "GetStage", `{}`, 400, "ValidationException"},
		{"null where something is required", "GetStage", `{"arn":null}`, 400, "ValidationException"},
		{"a member nobody knows", "GetStage", `{"arn":"` + arn + `","new":{}}`, 200, ""},
		{"no body where nothing is required", "ListStages", ``, 200, ""},
	}
	for _, c := range cases {
		got := b.call(t, c.operation, c.body)
		if got.status != c.status || got.code() != c.code {
			t.Errorf("%s: got %d %s %s, want %d %s", c.name, got.status, got.code(), got.body, c.status, c.code)
		}
		commonHeaders(t, c.name, got)
	}
	xml := b.request(t, http.MethodPost, "/GetStage", `<arn/>`)
	xml.Header.Set("Content-Type", "text/xml")
	got := reply(t, b.signature().on(t, xml))
	equal(t, "XML", []any{got.status, got.code()}, []any{415, "UnsupportedMediaTypeException"})
}

func TestAPresignedURLAndAHandmadePathReadTags(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	made, err := b.CreateStage(t.Context(), &sdk.CreateStageInput{Tags: map[string]string{"a": "b"}})
	must(t, err)
	const want = `{"tags":{"a":"b"}}`
	path := "/tags/" + strings.ReplaceAll(strings.ReplaceAll(*made.Stage.Arn, ":", "%3A"), "/", "%2F")
	got := reply(t, b.signature().presigned(t, b.request(t, http.MethodGet, path, ""), "60"))
	equal(t, "presigned", []any{got.status, got.body}, []any{200, want})
	old := b.signature()
	old.at = old.at.Add(-2 * time.Minute)
	got = reply(t, old.presigned(t, b.request(t, http.MethodGet, path, ""), "60"))
	stranger(t, "presigned for a minute, two minutes ago", got, got.code())
	got = reply(t, b.signature().on(t, b.request(t, http.MethodGet, "/tags/"+*made.Stage.Arn, "")))
	equal(t, "an ARN as people type it", []any{got.status, got.body}, []any{200, want})
}

func TestOperationsThatAreNotThereYetSayWhich(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	ctx, c := t.Context(), b.Client
	arn := func(kind string) *string {
		return aws.String("arn:aws:ivs:" + region + ":" + account + ":" + kind + "/AAAABBBBCCCC")
	}
	stage, other := arn("stage"), aws.String(*arn("stage")+"2")
	calls := map[string]func(context.Context) error{
		"StartComposition": func(ctx context.Context) error {
			_, err := c.StartComposition(ctx, &sdk.StartCompositionInput{StageArn: stage, Destinations: []types.DestinationConfiguration{
				{Channel: &types.ChannelDestinationConfiguration{ChannelArn: arn("channel")}}}})
			return err
		},
		"GetComposition": func(ctx context.Context) error {
			_, err := c.GetComposition(ctx, &sdk.GetCompositionInput{Arn: arn("composition")})
			return err
		},
		"ListCompositions": func(ctx context.Context) error { _, err := c.ListCompositions(ctx, nil); return err },
		"StopComposition": func(ctx context.Context) error {
			_, err := c.StopComposition(ctx, &sdk.StopCompositionInput{Arn: arn("composition")})
			return err
		},
		"StartParticipantReplication": func(ctx context.Context) error {
			_, err := c.StartParticipantReplication(ctx, &sdk.StartParticipantReplicationInput{SourceStageArn: stage, DestinationStageArn: other, ParticipantId: aws.String("x")})
			return err
		},
		"StopParticipantReplication": func(ctx context.Context) error {
			_, err := c.StopParticipantReplication(ctx, &sdk.StopParticipantReplicationInput{SourceStageArn: stage, DestinationStageArn: other, ParticipantId: aws.String("x")})
			return err
		},
		"ListParticipantReplicas": func(ctx context.Context) error {
			_, err := c.ListParticipantReplicas(ctx, &sdk.ListParticipantReplicasInput{SourceStageArn: stage, ParticipantId: aws.String("x")})
			return err
		},
	}
	equal(t, "operations that are not there yet", len(calls), 39-32)
	for name, call := range calls {
		said := unmodelled(t, name, call(ctx), "OperationNotSupportedException", http.StatusNotImplemented)
		if !strings.Contains(said, name) {
			t.Errorf("%s: it is told as %q, which does not name it", name, said)
		}
	}
}
