package stage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"callboard/internal/token"
)

// Finding is how good what a sentence says is.
type Finding string

// The findings.
const (
	Fine    Finding = "OK"
	Note    Finding = "NOTE"    // may be as it should be
	Problem Finding = "PROBLEM" // explains why something does not work
)

// Sentence is one step of an explanation.
type Sentence struct {
	About   string // token, stage, session, roll, errors, attempts, presence, publication, subscriptions, audience, servers
	Finding Finding
	Text    string
	Advice  string // what to do about it; empty if nothing
}

// Explanation says in order why a participant is not connected, not publishing, or not
// seen, as far as this server can know. The first problem is most often the cause of the others.
type Explanation struct {
	Stage         ARN
	ParticipantID string
	Sentences     []Sentence
}

// inquest is an explanation that is being made.
type inquest struct {
	Explanation
	service *Service
	shut    bool // nothing new is let in

	session Session // the latest; zero if there is none
	live    bool
	row     *Participant // in that session
	events  []Event      // newest first
	media   Media        // of the whole stage
	self    ParticipantMedia
}

// Explain explains a participant by its id.
func (s *Service) Explain(ctx context.Context, c Caller, arn ARN, participantID string) (Explanation, error) {
	q := &inquest{Explanation: Explanation{Stage: arn, ParticipantID: participantID}, service: s}
	if err := c.reach(arn); err != nil {
		return Explanation{}, err
	}
	err := q.hold(ctx, c, true)
	return q.Explanation, err
}

// ExplainToken explains a token, and the participant that it is for. A token for another stage
// is not looked at any further. The token is not kept.
func (s *Service) ExplainToken(ctx context.Context, c Caller, arn ARN, jwt string) (Explanation, error) {
	if err := c.reach(arn); err != nil {
		return Explanation{}, err
	}
	q := &inquest{Explanation: Explanation{Stage: arn}, service: s}
	goOn, err := q.judge(ctx, jwt)
	if err == nil && goOn {
		err = q.hold(ctx, c, false)
	}
	return q.Explanation, err
}

func (q *inquest) say(about string, f Finding, advice, format string, args ...any) {
	q.Sentences = append(q.Sentences, Sentence{About: about, Finding: f, Text: fmt.Sprintf(format, args...), Advice: advice})
}

// judge tells whether a token would be let in, and whether it is worth looking further.
func (q *inquest) judge(ctx context.Context, jwt string) (goOn bool, err error) {
	a, err := q.service.register.Admit(ctx, jwt)
	refused, known := errors.AsType[*Error](err)
	if err != nil && !known {
		return false, err
	}
	parsed, bad := token.Parse(jwt, q.service.now())
	switch {
	case bad != nil:
		q.say("token", Problem, "Have it made anew, by CreateParticipantToken or with the claims that the documentation names.",
			"%s, so it is refused with 401 %s.", refused.Message, refused.Code)
		return false, nil
	case parsed.Claims().Stage != q.Stage.String():
		q.say("token", Problem, "Ask about the stage that the token is for, or make a token for this one.", "The token is for another stage than %s.", q.Stage)
		return false, nil
	}
	q.ParticipantID = parsed.Claims().ParticipantID
	if err != nil {
		q.shut = true
		q.say("token", Problem, adviceFor(refused.Code), "A new connection with this token is refused with %s: %s.", refused.Code, strings.TrimSuffix(refused.Message, "."))
		return true, nil
	}
	q.say("token", Fine, "", "The token holds until %s and allows its participant %s.", when(a.Expires), allowance(a.MayPublish, a.MaySubscribe))
	return true, nil
}

func adviceFor(code string) string {
	switch code {
	case CodeTokenExpired:
		return "Give the client a new token. Who is connected stays."
	case CodeParticipantDisconnected:
		return "Give the person a new token, whose participant has another id; this one stays out."
	case CodeStageDeleted:
		return "Make the stage anew, and tokens for it: they name its ARN."
	}
	return "Sign it with a key that is imported in the stage's account and region, and name that key's ARN as kid."
}

func allowance(publish, subscribe bool) string {
	switch {
	case publish && subscribe:
		return "to publish and to subscribe"
	case publish:
		return "to publish, not to subscribe"
	case subscribe:
		return "to subscribe, not to publish"
	}
	return "neither to publish nor to subscribe"
}

// hold asks the facts, then the floor, and says what they tell.
func (q *inquest) hold(ctx context.Context, c Caller, byID bool) error {
	there := true
	err := q.service.store.View(ctx, func(tx Tx) error {
		_, err := document(tx, c, q.Stage)
		if KindOf(err) == NotFound {
			there = false
			q.say("stage", Problem, "Look for it with ListStages: is it another region, or was it deleted?", "Stage %s does not exist in region %s, and every token for it is refused with STAGE_DELETED.", q.Stage, c.Region)
			return nil
		}
		if err != nil {
			return err
		}
		return q.readFacts(tx, byID)
	})
	if err != nil || !there {
		return err
	}
	if q.media, err = q.service.floor.Inspect(ctx, q.Stage, ""); err != nil {
		return err
	}
	q.media.sort()
	if i := slices.IndexFunc(q.media.Participants, func(p ParticipantMedia) bool { return p.ID == q.ParticipantID }); i >= 0 {
		q.self = q.media.Participants[i]
	}
	q.sayMedia()
	return nil
}

// readFacts says what is on record.
func (q *inquest) readFacts(tx Tx, byID bool) error {
	if byID {
		if err := q.sayPass(tx); err != nil {
			return err
		}
	}
	list, err := tx.Sessions(SessionQuery{Stage: q.Stage, Limit: 1})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		q.say("session", Note, "", "The stage has had no session: nobody has ever joined it.")
		return nil
	}
	q.session = list[0]
	q.live = q.session.Ended.IsZero()
	if q.live {
		q.say("session", Fine, "", "Session %s of the stage is live since %s, with %s connected.", q.session.ID, when(q.session.Started), people(q.session.Connected))
	} else {
		q.say("session", Note, "", "The stage has no live session; the last one, %s, ended at %s.", q.session.ID, when(q.session.Ended))
	}
	row, err := tx.Participant(q.session.No, q.ParticipantID)
	if err == nil {
		q.row = &row
	} else if !errors.Is(err, ErrNoRow) {
		return err
	}
	q.events, err = tx.Events(EventQuery{Session: q.session.No, Participant: q.ParticipantID, Limit: 200})
	if err == nil {
		q.sayRow()
		q.sayErrors()
	}
	return err
}

func (q *inquest) sayPass(tx Tx) error {
	pass, err := tx.Pass(q.Stage, q.ParticipantID)
	switch {
	case errors.Is(err, ErrNoRow):
		q.say("token", Problem, "Compare the id with the participantId that CreateParticipantToken gave, or with the claim jti of your own token.",
			"No token for participant %s of this stage was made here, and nobody with this id has joined lately.", q.ParticipantID)
		return nil
	case err != nil:
		return err
	case pass.Barred:
		q.shut = true
		q.say("token", Problem, adviceFor(CodeParticipantDisconnected), "The participant was disconnected by DisconnectParticipant; every new connection is refused with PARTICIPANT_DISCONNECTED.")
	case !pass.Expires.After(q.service.now()):
		q.shut = true
		q.say("token", Problem, adviceFor(CodeTokenExpired), "The last token known for this participant expired at %s; every new connection is refused with TOKEN_EXPIRED.", when(pass.Expires))
	default:
		q.say("token", Fine, "", "A token for this participant is known, good until %s.", when(pass.Expires))
	}
	return nil
}

func (q *inquest) sayRow() {
	session := "the live session"
	if !q.live {
		session = "that session"
	}
	finding, again := Problem, "Have the client connect with its token: its presence socket, a WHIP or a WHEP request makes it join."
	if q.shut || q.row == nil && !q.live {
		finding, again = Note, ""
	}
	if q.row == nil {
		q.say("roll", finding, again, "It has not joined %s.", session)
		return
	}
	joined, left := q.last(Joined), q.last(Left)
	switch {
	case q.row.Connected && joined != nil:
		q.say("roll", Fine, "", "It is CONNECTED since %s, and listed so.", when(joined.At))
	case q.row.Connected:
		q.say("roll", Fine, "", "It is CONNECTED, and listed so; it first joined at %s.", when(q.row.FirstJoin))
	case left != nil:
		q.say("roll", finding, again, "It is DISCONNECTED: it left %s at %s, when its last connection ended.", session, when(left.At))
	default:
		q.say("roll", finding, again, "It is DISCONNECTED.")
	}
}

// last finds the newest event of a name.
func (q *inquest) last(name EventName) *Event {
	for i := range q.events {
		if q.events[i].Name == name {
			return &q.events[i]
		}
	}
	return nil
}

// maxErrors is how many error events are told.
const maxErrors = 3

// sayErrors tells the latest error events, one of each sort. They are a problem unless what
// failed has worked since.
func (q *inquest) sayErrors() {
	seen := map[string]bool{}
	worked := map[string]bool{}
	for _, e := range q.events {
		what := "join"
		switch e.Name {
		case PublishStarted:
			worked["publish"] = true
			continue
		case SubscribeStarted:
			worked["subscribe to "+e.Remote] = true
			continue
		case PublishError:
			what = "publish"
		case SubscribeError:
			what = "subscribe to " + e.Remote
		case Joined:
			worked["join"] = true
			continue
		case JoinError:
		default:
			continue
		}
		if key := what + string(e.Error); !seen[key] && len(seen) < maxErrors {
			seen[key] = true
			q.sayError(e, what, worked[what])
		}
	}
}

func (q *inquest) sayError(e Event, what string, worked bool) {
	text, advice := meaning(e.Error)
	if worked {
		q.say("errors", Note, "", "At %s its attempt to %s failed with %s: %s. It has worked since.", when(e.At), what, e.Error, text)
		return
	}
	q.say("errors", Problem, advice, "At %s its attempt to %s failed with %s: %s.", when(e.At), what, e.Error, text)
}

// meaning says what an error code means, and what to do.
func meaning(code ErrorCode) (text, advice string) {
	switch code {
	case InsufficientCapabilities:
		return "the token does not allow it", "Make a token with the capability, PUBLISH or SUBSCRIBE."
	case QuotaExceeded:
		return "a quota was used up", "See which with callboard quotas; raise it in the file of --quotas, or have others stop first."
	case PublisherNotFound:
		return "nobody with that id was on the stage", "Subscribe to the ids that the presence socket tells, when they publish."
	case BitrateExceeded:
		return "it sent more than the quota publish-bitrate for ten seconds, or video that it was to receive had no room in the quota download-bitrate", "Set the encoder well below the limit: it overshoots. Publish in layers (simulcast), or subscribe to fewer at a time."
	case ResolutionExceeded:
		return "its video was larger than the quota publish-resolution", "Send 1280x720 or less, or raise the quota."
	case StreamDurationExceeded:
		return "it lasted longer than the quota media-duration", "Connect anew."
	case InvalidVideoCodec:
		return "the offer has no video codec that can be used", "Offer H.264 with packetization-mode=1, or VP8; to subscribe, the codec of the publisher."
	case InvalidAudioCodec:
		return "the offer has no Opus", "Offer Opus for audio."
	case BFramePresent:
		return "its video has B frames", "Turn B frames off: profile baseline, or bframes=0."
	}
	return "the server failed", "Look into the log of the server at that time."
}

// Where lists the stages of the caller on which a participant's id is known.
func (s *Service) Where(ctx context.Context, c Caller, participantID string) (stages []ARN, err error) {
	const batch = 500
	for after := int64(0); ; {
		more := false
		err := s.store.View(ctx, func(tx Tx) error {
			list, err := tx.Documents(DocumentQuery{Type: TypeStage, Account: c.Account, Region: c.Region, After: after, Limit: batch})
			more = len(list) == batch
			for _, d := range list {
				after = d.No
				_, known := tx.Pass(d.ARN, participantID)
				if known == nil {
					stages = append(stages, d.ARN)
				} else if !errors.Is(known, ErrNoRow) {
					return known
				}
			}
			return err
		})
		if err != nil || !more {
			return stages, err
		}
	}
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func people(n int64) string {
	if n == 1 {
		return "1 participant"
	}
	return fmt.Sprintf("%d participants", n)
}
