package stage

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"callboard/internal/token"
)

// Admission is the permission that a verified participant token gives.
type Admission struct {
	Stage         ARN
	ParticipantID string
	UserID        string
	Attributes    map[string]string
	MayPublish    bool
	MaySubscribe  bool
	Expires       time.Time

	digest             [sha256.Size]byte // of the token
	whipURL, eventsURL string            // its claims
}

// GivenFor says whether this is the admission that jwt itself was given. Who
// shows the same token again needs no other proof, not even the key that
// signed it to be there still.
func (a Admission) GivenFor(jwt string) bool {
	digest := sha256.Sum256([]byte(jwt))
	return subtle.ConstantTimeCompare(digest[:], a.digest[:]) == 1
}

// Admit verifies a participant token (JWT) for a new join: signature, expiry,
// stage, bar. The error is an [*Error] with a Code. It writes nothing.
func (r *Register) Admit(ctx context.Context, jwt string) (Admission, error) {
	a, err := r.verify(ctx, jwt)
	if err != nil {
		return Admission{}, err
	}
	if !a.Expires.After(r.now()) {
		return Admission{}, refuse(Unauthenticated, CodeTokenExpired, "The token expired at %s", a.Expires.UTC().Format(time.RFC3339))
	}
	err = r.store.View(ctx, func(tx Tx) error { return checkDoor(tx, a) })
	if err != nil {
		return Admission{}, err
	}
	return a, nil
}

// Recognise verifies a token as Admit does but accepts one that has expired
// since and does not look at bars or the stage: it is for requests on a media
// session that exists already.
func (r *Register) Recognise(ctx context.Context, jwt string) (Admission, error) {
	return r.verify(ctx, jwt)
}

// checkDoor refuses when the stage is gone or the id is barred from it.
func checkDoor(tx Tx, a Admission) error {
	_, err := tx.Document(a.Stage)
	if errors.Is(err, ErrNoRow) {
		return refuse(NotFound, CodeStageDeleted, "Stage %s does not exist", a.Stage)
	}
	if err != nil {
		return err
	}
	pass, err := tx.Pass(a.Stage, a.ParticipantID)
	if err == nil && pass.Barred {
		return refuse(Denied, CodeParticipantDisconnected, "Participant %s was disconnected from this stage and may not come back", a.ParticipantID)
	}
	if errors.Is(err, ErrNoRow) {
		return nil
	}
	return err
}

// verify checks form and signature. Both are done outside of any transaction:
// strangers may come with anything, and the signature is slow.
func (r *Register) verify(ctx context.Context, jwt string) (Admission, error) {
	parsed, err := token.Parse(jwt, r.now())
	if err != nil {
		return Admission{}, malformed(err)
	}
	a, err := admission(parsed.Claims())
	if err != nil {
		return Admission{}, malformed(err)
	}
	key, err := r.verifyingKey(ctx, parsed.KeyID(), a.Stage)
	if err != nil {
		return Admission{}, err
	}
	if err := r.known.Verify(parsed, key); err != nil {
		return Admission{}, malformed(err)
	}
	a.digest = sha256.Sum256([]byte(jwt))
	return a, nil
}

func malformed(err error) error {
	return &Error{Kind: Unauthenticated, Code: CodeTokenMalformed, Message: "The token does not hold: " + err.Error()}
}

func admission(c token.Claims) (Admission, error) {
	arn, err := ParseARN(c.Stage)
	if err == nil && arn.Type != TypeStage {
		err = fmt.Errorf("resource %s is not a stage", c.Stage)
	}
	return Admission{
		Stage:         arn,
		ParticipantID: c.ParticipantID,
		UserID:        c.UserID,
		Attributes:    c.Attributes,
		MayPublish:    c.Publish,
		MaySubscribe:  c.Subscribe,
		Expires:       c.Expires,
		whipURL:       c.WHIPURL,
		eventsURL:     c.EventsURL,
	}, err
}

// verifyingKey finds the key a token names: the server's own, or an imported
// one of the stage's own account and region.
func (r *Register) verifyingKey(ctx context.Context, id string, stage ARN) (*ecdsa.PublicKey, error) {
	if id == serverKeyID {
		return r.serverKey, nil
	}
	unknown := refuse(Unauthenticated, CodeTokenMalformed, "The token names a key (kid) that is not imported in the account and region of its stage")
	arn, err := ParseARN(id)
	if err != nil || arn.Type != TypePublicKey || arn.Account != stage.Account || arn.Region != stage.Region {
		return nil, unknown
	}
	var imported PublicKey
	err = r.store.View(ctx, func(tx Tx) error {
		d, err := tx.Document(arn)
		if err != nil {
			return err
		}
		imported, err = publicKey(d)
		return err
	})
	if errors.Is(err, ErrNoRow) {
		return nil, unknown
	}
	if err != nil {
		return nil, err
	}
	key, _, err := token.ParsePublicKey(imported.Material)
	return key, err
}
