//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	jose "github.com/golang-jwt/jwt/v5"
)

// keyPair is a customer's own key for tokens.
type keyPair struct {
	private     *ecdsa.PrivateKey
	pem         string
	fingerprint string
	arn         string // once imported
}

func newKeyPair(t testing.TB, curve elliptic.Curve) *keyPair {
	t.Helper()
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	must(t, err)
	k := &keyPair{private: private, pem: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
	k.fingerprint = strings.ReplaceAll(fmt.Sprintf("% x", md5.Sum(der)), " ", ":")
	return k
}

// importedKey is a key pair whose public half the board knows.
func importedKey(t *testing.T, b *board) *keyPair {
	t.Helper()
	k := newKeyPair(t, elliptic.P384())
	out, err := b.ImportPublicKey(t.Context(), &sdk.ImportPublicKeyInput{PublicKeyMaterial: &k.pem})
	must(t, err)
	k.arn = *out.PublicKey.Arn
	return k
}

// token is signed by the customer, not by the board, and lasts an hour.
func (k *keyPair) token(t testing.TB, b *board, stage, id string) string {
	t.Helper()
	return k.signed(t, b, stage, id, time.Now(), time.Now().Add(time.Hour))
}

func (k *keyPair) signed(t testing.TB, b *board, stage, id string, issued, expires time.Time) string {
	t.Helper()
	token := jose.NewWithClaims(jose.SigningMethodES384, jose.MapClaims{
		"exp": expires.Unix(), "iat": issued.Unix(), "jti": id, "version": "1.0",
		"resource": stage, "topic": stage[strings.LastIndex(stage, "/")+1:],
		"events_url": strings.Replace(b.url, "http", "ws", 1) + "/events", "whip_url": b.url + "/whip",
		"capabilities": map[string]bool{"allow_publish": true, "allow_subscribe": true},
		"user_id":      "self-signed", "attributes": map[string]string{"by": "customer"},
	})
	token.Header["kid"] = k.arn
	signed, err := token.SignedString(k.private)
	must(t, err)
	return signed
}

// forgery is a token that names the key but is signed with another one.
func (k *keyPair) forgery(t testing.TB, b *board, stage, id string) string {
	t.Helper()
	other := newKeyPair(t, elliptic.P384())
	other.arn = k.arn
	return other.token(t, b, stage, id)
}

func TestAPublicKeyIsImportedReadListedAndDeleted(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	ctx := t.Context()
	k := newKeyPair(t, elliptic.P384())
	made, err := b.ImportPublicKey(ctx, &sdk.ImportPublicKeyInput{
		PublicKeyMaterial: &k.pem, Name: aws.String("first"), Tags: map[string]string{"env": "test"},
	})
	must(t, err)
	arn := *made.PublicKey.Arn
	if !regexp.MustCompile(`^arn:aws:ivs:` + region + `:` + account + `:public-key/[0-9a-f-]{36}$`).MatchString(arn) {
		t.Errorf("the key has the ARN %s", arn)
	}
	want := &types.PublicKey{
		Arn: &arn, Name: aws.String("first"), Tags: map[string]string{"env": "test"},
		PublicKeyMaterial: &k.pem, Fingerprint: &k.fingerprint,
	}
	equal(t, "ImportPublicKey", made.PublicKey, want)
	got, err := b.GetPublicKey(ctx, &sdk.GetPublicKeyInput{Arn: &arn})
	must(t, err)
	equal(t, "GetPublicKey", got.PublicKey, want)
	list, err := b.ListPublicKeys(ctx, &sdk.ListPublicKeysInput{})
	must(t, err)
	equal(t, "ListPublicKeys", list.PublicKeys, []types.PublicKeySummary{{Arn: &arn, Name: want.Name, Tags: want.Tags}})
	_, err = b.DeletePublicKey(ctx, &sdk.DeletePublicKeyInput{Arn: &arn})
	must(t, err)
	_, err = b.GetPublicKey(ctx, &sdk.GetPublicKeyInput{Arn: &arn})
	refused[*types.ResourceNotFoundException](t, "GetPublicKey", err)
	again := importedKey(t, b)
	if again.arn == arn {
		t.Error("a deleted key's ARN was given out again")
	}
}

func TestTheSDKsPaginatorSeesEveryPublicKeyOnce(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	var want []string
	for range 23 {
		want = append(want, importedKey(t, b).arn)
	}
	for _, size := range []int32{1, 5, 23, 100} {
		var got []string
		pages := sdk.NewListPublicKeysPaginator(b.Client, &sdk.ListPublicKeysInput{MaxResults: &size})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			must(t, err)
			for _, k := range page.PublicKeys {
				got = append(got, *k.Arn)
			}
		}
		equal(t, fmt.Sprintf("keys in pages of %d", size), got, want)
	}
}

func TestATokenSignedByTheCustomerHoldsForAsLongAsItsKeyIsThere(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	arn := b.stage(t)
	k := importedKey(t, b)
	g := bearer(t, k.token(t, b, arn, "my_own-id"))
	socket := attendance(t, g)
	session := b.session(t, arn)
	out, err := b.GetParticipant(t.Context(), &sdk.GetParticipantInput{StageArn: &arn, SessionId: &session, ParticipantId: aws.String("my_own-id")})
	must(t, err)
	equal(t, "user id", out.Participant.UserId, aws.String("self-signed"))
	equal(t, "attributes", out.Participant.Attributes, map[string]string{"by": "customer"})

	_, err = b.DeletePublicKey(t.Context(), &sdk.DeletePublicKeyInput{Arn: &k.arn})
	must(t, err)
	_, err = bearer(t, k.token(t, b, arn, "too-late")).Attend(deadline(t, patience))
	refusal(t, "a token of a deleted key", err, 401, "TOKEN_MALFORMED")
	must(t, socket.SetState(deadline(t, patience), true, false)) // whoever is in stays in
	_, err = socket.Wait(deadline(t, patience), mutedAudio("my_own-id"))
	must(t, err)
}

func TestTagsAreAddedOverwrittenRemovedAndListed(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	ctx := t.Context()
	for _, arn := range []string{b.stage(t), importedKey(t, b).arn} {
		tags := func() map[string]string {
			out, err := b.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: &arn})
			must(t, err)
			return out.Tags
		}
		equal(t, "tags of a new resource", tags(), map[string]string{})
		_, err := b.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"a b": "1", "ü/=&": "", "c": "3"}})
		must(t, err)
		_, err = b.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"c": "4"}})
		must(t, err)
		equal(t, "tags", tags(), map[string]string{"a b": "1", "ü/=&": "", "c": "4"})
		_, err = b.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"a b", "ü/=&", "never there"}})
		must(t, err)
		equal(t, "tags after UntagResource", tags(), map[string]string{"c": "4"})
	}
	list, err := b.ListStages(ctx, &sdk.ListStagesInput{})
	must(t, err)
	equal(t, "tags of a stage in ListStages", list.Stages[0].Tags, map[string]string{"c": "4"})
}
