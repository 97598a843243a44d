package stage_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"callboard/internal/stage"
	"callboard/internal/token"
)

func keyPair(t *testing.T) (*ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := token.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func selfSigned(t *testing.T, key *ecdsa.PrivateKey, keyID string, arn stage.ARN, now time.Time) string {
	t.Helper()
	jwt, err := token.Mint(key, keyID, token.Claims{
		ParticipantID: "self_signed-1", Stage: arn.String(), Topic: arn.ID,
		EventsURL: "wss://x", WHIPURL: "https://x", Publish: true,
		IssuedAt: now, Expires: now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return jwt
}

func TestTokenOfAnImportedKeyIsAdmittedUntilTheKeyGoes(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	private, public := keyPair(t)
	key, err := w.ImportPublicKey(t.Context(), w.caller, "mine", public, nil)
	w.check(err)
	jwt := selfSigned(t, private, key.ARN.String(), arn, w.clock())
	e := w.enter(jwt)
	if e.ParticipantID != "self_signed-1" {
		t.Errorf("joined as %s", e.ParticipantID)
	}
	w.record(e, stage.Left)
	w.check(w.Disconnect(t.Context(), w.caller, arn, e.ParticipantID, "")) // seen, hence known
	w.check(w.DeletePublicKey(t.Context(), w.caller, key.ARN))
	_, err = w.Admit(t.Context(), jwt)
	wantKind(t, err, stage.Unauthenticated)
}

func TestKeyOfAnotherRegionOpensNothing(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	private, public := keyPair(t)
	elsewhere := w.caller
	elsewhere.Region = "eu-west-1"
	key, err := w.ImportPublicKey(t.Context(), elsewhere, "", public, nil)
	w.check(err)
	_, err = w.Admit(t.Context(), selfSigned(t, private, key.ARN.String(), arn, w.clock()))
	wantKind(t, err, stage.Unauthenticated)
}

func TestPublicKeyIsImportedOnceAndWithinTheQuota(t *testing.T) {
	w := newWorld(t)
	_, public := keyPair(t)
	_, err := w.ImportPublicKey(t.Context(), w.caller, "", public, nil)
	w.check(err)
	_, err = w.ImportPublicKey(t.Context(), w.caller, "", public+"\n", nil)
	wantKind(t, err, stage.Conflict)
	_, err = w.ImportPublicKey(t.Context(), w.caller, "", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", nil)
	wantKind(t, err, stage.Invalid)
	for range 2 {
		_, public = keyPair(t)
		_, err = w.ImportPublicKey(t.Context(), w.caller, "", public, nil)
		w.check(err)
	}
	_, public = keyPair(t)
	_, err = w.ImportPublicKey(t.Context(), w.caller, "", public, nil)
	wantKind(t, err, stage.Quota)
}

func TestExpiredTokenIsRecognisedButNotAdmitted(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	issued, err := w.CreateToken(t.Context(), w.caller, arn, stage.TokenRequest{Duration: time.Minute})
	w.check(err)
	e := w.enter(issued.JWT)
	w.pass(time.Minute)
	_, err = w.Admit(t.Context(), issued.JWT)
	wantKind(t, err, stage.Unauthenticated)
	a, err := w.Recognise(t.Context(), issued.JWT)
	w.check(err)
	if a.ParticipantID != e.ParticipantID {
		t.Errorf("recognised %s", a.ParticipantID)
	}
	w.check(w.Disconnect(t.Context(), w.caller, arn, e.ParticipantID, "")) // connected, hence known
}

func TestCapabilitiesAreGivenOnceEach(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	twice := []stage.Capability{stage.Subscribe, stage.Subscribe}
	issued, err := w.CreateToken(t.Context(), w.caller, arn, stage.TokenRequest{Capabilities: &twice})
	w.check(err)
	a, err := w.Admit(t.Context(), issued.JWT)
	w.check(err)
	if len(issued.Capabilities) != 1 || a.MayPublish || !a.MaySubscribe {
		t.Errorf("issued %v, admitted %+v", issued.Capabilities, a)
	}
	if !issued.Expires.Equal(w.clock().Add(12 * time.Hour)) {
		t.Errorf("expires %v", issued.Expires)
	}
}

func TestTokenIsKnownAgainWithoutItsKey(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	private, public := keyPair(t)
	key, err := w.ImportPublicKey(t.Context(), w.caller, "", public, nil)
	w.check(err)
	jwt := selfSigned(t, private, key.ARN.String(), arn, w.clock())
	a, err := w.Admit(t.Context(), jwt)
	w.check(err)
	w.check(w.DeletePublicKey(t.Context(), w.caller, key.ARN))
	if !a.GivenFor(jwt) || a.GivenFor(jwt+"x") || (stage.Admission{}).GivenFor(jwt) {
		t.Error("an admission does not know its own token")
	}
}

func TestSelfSignedIDCanBeBarredForAsLongAsItsLatestTokenLasts(t *testing.T) {
	w := newWorld(t)
	arn := w.stage()
	a := stage.Admission{Stage: arn, ParticipantID: "bob", Expires: w.clock().Add(time.Minute)}
	e, err := w.Join(t.Context(), a, stage.Client{})
	w.check(err)
	w.record(e, stage.Left)
	a.Expires = w.clock().Add(24 * time.Hour)
	e, err = w.Join(t.Context(), a, stage.Client{})
	w.check(err)
	w.record(e, stage.Left)
	w.pass(2 * time.Hour)
	w.token(arn, "") // a time at which passes are forgotten
	w.check(w.Disconnect(t.Context(), w.caller, arn, "bob", ""))
	_, err = w.Join(t.Context(), a, stage.Client{})
	wantKind(t, err, stage.Denied)
}
