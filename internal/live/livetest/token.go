package livetest

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"time"

	"callboard/internal/stage"
	"callboard/internal/token"
)

// signer is somebody who signs tokens with a key of their own.
type signer struct {
	key *ecdsa.PrivateKey
	id  string
}

// Another gives a second token of the same participant, signed with an imported
// key; change begins with the claims of the first one, a second more to live.
func (w *World) Another(jwt string, change func(*token.Claims)) string {
	w.t.Helper()
	if w.signer == nil {
		w.signer = new(signer)
		var err error
		w.signer.key, err = token.NewKey()
		w.check(err)
		der, err := x509.MarshalPKIXPublicKey(&w.signer.key.PublicKey)
		w.check(err)
		public, err := w.Service.ImportPublicKey(w.t.Context(), w.Caller, "", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil)
		w.check(err)
		w.signer.id = public.ARN.String()
	}
	first, err := token.Parse(jwt, time.Now())
	w.check(err)
	claims := first.Claims()
	claims.Expires = claims.Expires.Add(time.Second)
	change(&claims)
	again, err := token.Mint(w.signer.key, w.signer.id, claims)
	w.check(err)
	return again
}

// AdmitAgain is Admit with a token that is there already.
func (w *World) AdmitAgain(jwt string) stage.Admission {
	w.t.Helper()
	a, err := w.Register.Admit(w.t.Context(), jwt)
	w.check(err)
	return a
}
