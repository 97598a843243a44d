package stage

import (
	"context"
	"errors"
	"time"
)

// RecordingState is the state of a participant's individual recording.
type RecordingState int

// The recording states. Disabled is the state of a participant who is not to be recorded.
const (
	RecordingDisabled RecordingState = iota
	RecordingStarting
	RecordingActive
	RecordingStopping
	RecordingStopped
	RecordingFailed
)

// Protocol is how a participant publishes.
type Protocol string

// The protocols. Unknown is the protocol of someone who never published.
const (
	ProtocolUnknown Protocol = "UNKNOWN"
	ProtocolWHIP    Protocol = "WHIP"
)

// Participant is someone in a session, one row for each participant id that
// joined it, there for good.
type Participant struct {
	Session   int64 // Session.No
	Seq       int64 // join sequence in the session, from 1; never changes
	ID        string
	UserID    string
	Connected bool
	Published bool // ever, in this session
	Recording RecordingState
	FirstJoin time.Time

	Detail *Detail // nil in lists
}

// Detail is what only GetParticipant shows.
type Detail struct {
	Attributes map[string]string
	Client     Client
	Protocol   Protocol
}

// Client is what a participant's software said about itself, sanitised.
type Client struct {
	OSName         string
	OSVersion      string
	BrowserName    string
	BrowserVersion string
	SDKVersion     string
}

// merge takes over what the other one knows.
func (c *Client) merge(other Client) {
	for _, pair := range [][2]*string{
		{&c.OSName, &other.OSName},
		{&c.OSVersion, &other.OSVersion},
		{&c.BrowserName, &other.BrowserName},
		{&c.BrowserVersion, &other.BrowserVersion},
		{&c.SDKVersion, &other.SDKVersion},
	} {
		if *pair[1] != "" {
			*pair[0] = *pair[1]
		}
	}
}

// Roll asks for one page of the roll call of a session. At most one filter is set.
type Roll struct {
	Stage     ARN
	SessionID string
	Page      Page
	UserID    *string
	Connected *bool
	Published *bool
	Recording *RecordingState

	Into []Participant // memory that may be used for the answer; optional
}

// Participants is the roll call: everyone who ever joined the session and
// matches the filter, the newest join first. Positions never move, so a walk
// returns a participant at most once, whatever joins, leaves or flips
// meanwhile, and exactly once if it matches throughout. An unknown stage or
// session gives an empty list.
func (s *Service) Participants(ctx context.Context, c Caller, r Roll) (list []Participant, next int64, err error) {
	if err := c.reach(r.Stage); err != nil || r.Stage.Region != c.Region {
		return nil, 0, err
	}
	list, hot := s.store.Roll(r.Stage, r.SessionID, r.query(0))
	if !hot {
		err = s.store.View(ctx, func(tx Tx) error {
			session, known, err := lookup(tx, c, r.Stage, r.SessionID)
			if err != nil || !known {
				return err
			}
			list, err = tx.Participants(r.query(session.No))
			return err
		})
	}
	list, next = cut(list, r.Page.Limit, func(p Participant) int64 { return p.Seq })
	return list, next, err
}

// query asks for one row more than the page has, to know whether there is another.
func (r *Roll) query(session int64) ParticipantQuery {
	return ParticipantQuery{
		Session:   session,
		Before:    r.Page.After,
		Limit:     r.Page.Limit + 1,
		UserID:    r.UserID,
		Connected: r.Connected,
		Published: r.Published,
		Recording: r.Recording,
		Into:      r.Into,
	}
}

// lookup finds a session for a list, where an unknown one is no error.
func lookup(tx Tx, c Caller, arn ARN, sessionID string) (Session, bool, error) {
	known, err := exists(tx, c, arn)
	if err != nil || !known {
		return Session{}, false, err
	}
	session, err := tx.Session(arn, sessionID)
	if errors.Is(err, ErrNoRow) {
		return Session{}, false, nil
	}
	return session, err == nil, err
}

// Participant reads one participant of a session, with its detail.
func (s *Service) Participant(ctx context.Context, c Caller, arn ARN, sessionID, id string) (found Participant, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		session, err := s.session(tx, c, arn, sessionID)
		if err != nil {
			return err
		}
		found, err = tx.Participant(session.No, id)
		if errors.Is(err, ErrNoRow) {
			return fail(NotFound, "Participant %s did not join session %s", id, sessionID)
		}
		return err
	})
	return found, err
}

// Disconnect removes a participant from the stage and bars its id, which must
// be known: issued by this server or seen on the stage. The participant of an
// ingest configuration is not barred; its ingest configuration is detached.
func (s *Service) Disconnect(ctx context.Context, c Caller, arn ARN, id, reason string) error {
	ids := []string{id}
	err := s.store.Update(ctx, func(tx Tx) error {
		if _, err := document(tx, c, arn); err != nil {
			return err
		}
		ingested, err := detachParticipant(tx, arn, id)
		if err != nil {
			return err
		}
		if ingested != nil {
			ids = ingested
			return nil
		}
		if err := requireKnown(tx, arn, id); err != nil {
			return err
		}
		return tx.PutPass(Pass{Stage: arn, ParticipantID: id, Expires: tx.Now().Add(MaxTokenDuration), Barred: true})
	})
	if err != nil {
		return err
	}
	s.log.Info("participant disconnected by the API", "stage", arn, "participant", id, "reason", reason)
	return s.sendAway(ctx, arn, ids, reason)
}

func requireKnown(tx Tx, arn ARN, id string) error {
	_, err := tx.Pass(arn, id)
	if !errors.Is(err, ErrNoRow) {
		return err
	}
	live, err := tx.LiveSession(arn)
	if err == nil {
		_, err = tx.Participant(live.No, id)
	}
	if errors.Is(err, ErrNoRow) {
		return fail(NotFound, "Participant %s is not known on stage %s", id, arn)
	}
	return err
}
