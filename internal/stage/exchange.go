package stage

import (
	"context"
	"errors"
	"time"
)

// Grant is what a token gives its participant, as far as another token may give
// it something else while it is connected.
type Grant struct {
	UserID       string
	Attributes   map[string]string
	MayPublish   bool
	MaySubscribe bool
	Expires      time.Time
}

// Capabilities lists what the grant allows.
func (g Grant) Capabilities() []Capability {
	list := []Capability{}
	if g.MayPublish {
		list = append(list, Publish)
	}
	if g.MaySubscribe {
		list = append(list, Subscribe)
	}
	return list
}

// Exchange is what [TokenExchanged] tells of the two tokens.
type Exchange struct{ Previous, New Grant }

// Grant is what the admission is for.
func (a Admission) Grant() Grant {
	return Grant{a.UserID, a.Attributes, a.MayPublish, a.MaySubscribe, a.Expires}
}

// Same says whether two admissions were given for one token.
func (a Admission) Same(other Admission) bool { return a.digest == other.digest }

// exchangeable refuses a token that is not for the same participant, at the same
// place (https://docs.aws.amazon.com/ivs/latest/RealTimeUserGuide/token-exchange.html).
// The claim topic is part of resource, which was looked at when the token was.
func (a Admission) exchangeable(next Admission) error {
	claim := ""
	switch {
	case a.Stage != next.Stage:
		claim = "resource"
	case a.ParticipantID != next.ParticipantID:
		claim = "jti"
	case a.whipURL != next.whipURL:
		claim = "whip_url"
	case a.eventsURL != next.eventsURL:
		claim = "events_url"
	default:
		return nil
	}
	return refuse(Denied, CodeTokenNotAllowed, "The claim %q of the new token is not that of the old one", claim)
}

// Exchange gives a participant who holds an entry what another token of its own
// is for, in the place of what it was let in with, and appends TOKEN_EXCHANGED, whose number in the feed it gives.
// It fails like Admit when the stage went or the id was barred since; a token that
// may not follow the first one is Denied.
func (r *Register) Exchange(ctx context.Context, e Entry, from, to Admission) (no int64, err error) {
	if err := from.exchangeable(to); err != nil {
		return 0, err
	}
	err = r.store.Update(ctx, func(tx Tx) error {
		no, err = r.exchange(tx, e, from, to)
		return err
	})
	return no, err
}

// ExchangeAgain is Exchange when nobody knows whether that is recorded, because the answer was lost: then it
// writes nothing. after is the number of the participant's exchange before it, 0 if it has had none since it joined.
func (r *Register) ExchangeAgain(ctx context.Context, e Entry, after int64, from, to Admission) (no int64, err error) {
	err = r.store.Update(ctx, func(tx Tx) error {
		if err := r.holds(tx, e.Stage, e.ParticipantID); err != nil {
			return err
		}
		if no, err = lastExchange(tx, e); err != nil || no > after {
			return err
		}
		no, err = r.exchange(tx, e, from, to)
		return err
	})
	return no, err
}

func (r *Register) exchange(tx Tx, e Entry, from, to Admission) (no int64, err error) {
	if err := checkDoor(tx, to); err != nil {
		return 0, err
	}
	if err := r.holds(tx, e.Stage, e.ParticipantID); err != nil {
		return 0, err
	}
	if err := remember(tx, to); err != nil {
		return 0, err
	}
	p, err := tx.Participant(e.Session, e.ParticipantID)
	if err == nil && !p.Connected {
		err = ErrNoRow
	}
	if errors.Is(err, ErrNoRow) {
		return 0, refuse(NotFound, "", "The participant is not connected")
	}
	if err != nil {
		return 0, err
	}
	p.UserID, p.Detail.Attributes = to.UserID, to.Attributes
	if err := tx.PutParticipant(&p); err != nil {
		return 0, err
	}
	exchanged := Event{
		At: tx.Now(), Stage: e.Stage, Session: e.Session, Participant: e.ParticipantID,
		Name: TokenExchanged, Exchange: &Exchange{Previous: from.Grant(), New: to.Grant()},
	}
	err = tx.AppendEvent(&exchanged)
	return exchanged.No, err
}

// lastExchange gives the number of the last exchange since the participant joined, 0 if there is none.
func lastExchange(tx Tx, e Entry) (no int64, err error) {
	err = backToJoining(tx, Participant{Session: e.Session, ID: e.ParticipantID}, func(found Event) {
		if found.Name == TokenExchanged {
			no = max(no, found.No)
		}
	})
	return no, err
}
