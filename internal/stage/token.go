package stage

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"time"

	"callboard/internal/token"
)

// Bounds of a participant token
// (https://docs.aws.amazon.com/ivs/latest/RealTimeAPIReference/API_CreateParticipantToken.html).
const (
	DefaultTokenDuration = 12 * time.Hour
	MaxTokenDuration     = 14 * 24 * time.Hour
)

// serverKeyID is the key id of tokens that the server signs itself. It is no
// ARN, so it cannot be taken for an imported key.
const serverKeyID = "callboard:1"

// Capability is what a token allows.
type Capability string

// The capabilities.
const (
	Publish   Capability = "PUBLISH"
	Subscribe Capability = "SUBSCRIBE"
)

// TokenRequest asks for a participant token. The zero Duration means 12 hours.
// Nil Capabilities mean all; an empty list means may join only.
type TokenRequest struct {
	UserID       string
	Attributes   map[string]string
	Capabilities *[]Capability
	Duration     time.Duration // whole minutes
}

// IssuedToken is a new token. The server keeps no copy of it.
type IssuedToken struct {
	JWT           string
	ParticipantID string
	UserID        string
	Attributes    map[string]string
	Capabilities  []Capability // without repetition
	Duration      time.Duration
	Expires       time.Time

	issued time.Time
}

// CreateToken issues a token for a stage.
func (s *Service) CreateToken(ctx context.Context, c Caller, arn ARN, r TokenRequest) (IssuedToken, error) {
	if err := r.Check(); err != nil {
		return IssuedToken{}, err
	}
	err := s.store.View(ctx, func(tx Tx) error {
		_, err := document(tx, c, arn)
		return err
	})
	if err != nil {
		return IssuedToken{}, err
	}
	for {
		issued, err := s.sign(c, arn, r)
		if err != nil {
			return IssuedToken{}, err
		}
		err = s.store.Update(ctx, func(tx Tx) error {
			if _, err := document(tx, c, arn); err != nil {
				return err
			}
			return reserve(tx, arn, issued)
		})
		if !errors.Is(err, errTaken) {
			return issued, err
		}
	}
}

// errTaken says that a participant id is known on the stage already. Chance does
// not do that; but after a reset, ids that can be foretold meet tokens of before.
var errTaken = errors.New("the participant id is taken")

// Reword gives a token again that the caller reaches under other URLs: the same
// permission for the same participant, with the caller's endpoints in it.
func (s *Service) Reword(c Caller, arn ARN, t IssuedToken) (IssuedToken, error) {
	if err := c.reach(arn); err != nil {
		return IssuedToken{}, err
	}
	return s.mint(c, arn, t)
}

// reserve takes the participant id for this token. Ids are unique on a stage.
func reserve(tx Tx, arn ARN, t IssuedToken) error {
	_, err := tx.Pass(arn, t.ParticipantID)
	if err == nil {
		return errTaken
	}
	if !errors.Is(err, ErrNoRow) {
		return err
	}
	return tx.PutPass(Pass{Stage: arn, ParticipantID: t.ParticipantID, Expires: t.Expires})
}

// signer holds the server's own token key.
type signer struct {
	key *ecdsa.PrivateKey
	id  string
}

// sign makes the token itself. It is slow (an ECDSA signature), so it is done
// outside of any transaction.
func (s *Service) sign(c Caller, arn ARN, r TokenRequest) (IssuedToken, error) {
	t := IssuedToken{
		ParticipantID: s.randomID(12),
		UserID:        r.UserID,
		Attributes:    r.Attributes,
		Capabilities:  r.capabilities(),
		Duration:      r.Duration,
	}
	if t.Duration == 0 {
		t.Duration = DefaultTokenDuration
	}
	t.issued = s.now().UTC().Truncate(time.Second)
	t.Expires = t.issued.Add(t.Duration)
	return s.mint(c, arn, t)
}

// mint gives t with its JWT.
func (s *Service) mint(c Caller, arn ARN, t IssuedToken) (IssuedToken, error) {
	reach := s.endpointsFor(c)
	claims := token.Claims{
		ParticipantID: t.ParticipantID,
		UserID:        t.UserID,
		Attributes:    t.Attributes,
		Stage:         arn.String(),
		Topic:         arn.ID,
		EventsURL:     reach.Events,
		WHIPURL:       reach.WHIP,
		IssuedAt:      t.issued,
		Expires:       t.Expires,
	}
	for _, may := range t.Capabilities {
		claims.Publish = claims.Publish || may == Publish
		claims.Subscribe = claims.Subscribe || may == Subscribe
	}
	var err error
	if t.JWT, err = token.Mint(s.signer.key, s.signer.id, claims); err == nil {
		s.known.Learn(t.JWT, &s.signer.key.PublicKey)
	}
	return t, err
}

func (r TokenRequest) capabilities() []Capability {
	if r.Capabilities == nil {
		return []Capability{Publish, Subscribe}
	}
	list := []Capability{}
	for _, want := range *r.Capabilities {
		seen := false
		for _, have := range list {
			seen = seen || have == want
		}
		if !seen {
			list = append(list, want)
		}
	}
	return list
}

// Check says what is wrong with r whatever is stored.
func (r TokenRequest) Check() error {
	if r.Duration < 0 || r.Duration > MaxTokenDuration {
		return fail(Invalid, "A token lasts between 1 minute and 14 days")
	}
	return CheckAttributes(r.Attributes)
}

// CheckAttributes says whether the attributes of a participant take too much room.
func CheckAttributes(attributes map[string]string) error {
	if n := token.AttributeBytes(attributes); n > token.MaxAttributes {
		return fail(Invalid, "The keys and values of attributes take %d bytes; at most %d are allowed", n, token.MaxAttributes)
	}
	return nil
}
