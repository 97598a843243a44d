package storetest

import (
	"errors"
	"testing"
	"time"

	"callboard/internal/stage"
)

func exchanges(t *testing.T, open opener) {
	both := stage.Exchange{
		Previous: stage.Grant{UserID: "ann", Attributes: map[string]string{}, MayPublish: true, MaySubscribe: true, Expires: at(1).UTC().Truncate(time.Second)},
		New:      stage.Grant{UserID: "erika", Attributes: map[string]string{"role": "host \"é\""}, Expires: at(9).UTC().Truncate(time.Second)},
	}
	exchange := func(t *testing.T, s stage.Store, session stage.Session, id string, x stage.Exchange) stage.Event {
		t.Helper()
		e := stage.Event{At: at(1), Stage: session.Stage, Session: session.No, Participant: id, Name: stage.TokenExchanged, Exchange: &x}
		update(t, s, func(tx stage.Tx) error { return tx.AppendEvent(&e) })
		return e
	}
	t.Run("an exchange comes back with its event, from every list", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		session := bygone(t, s, "a", 2)
		e := exchange(t, s, session, participantID(1), both)
		view(t, s, func(tx stage.Tx) error {
			own, err1 := tx.Events(stage.EventQuery{Session: session.No, Participant: participantID(1), Limit: 1})
			feed, err2 := tx.Feed(e.No-1, 5)
			all, err3 := tx.SessionEvents(session.No, stage.Event{}, 10)
			equal(t, "the participant's", own, []stage.Event{e})
			equal(t, "the feed", feed, []stage.Event{e})
			e.Stage = stage.ARN{}
			equal(t, "the session's", all[1], e)
			return errors.Join(err1, err2, err3)
		})
	})
	t.Run("who had a user id before or after is found by it until it is erased", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		session := bygone(t, s, "a", 3)
		exchange(t, s, session, participantID(1), both)
		exchange(t, s, session, participantID(1), stage.Exchange{Previous: both.New, New: both.Previous})
		exchange(t, s, session, participantID(2), stage.Exchange{Previous: both.New, New: both.New})
		who := func(userID string, limit int) []string {
			return read(t, s, func(tx stage.Tx) ([]string, error) { return tx.Exchanged(session.No, userID, limit) })
		}
		equal(t, "who was ann", who("ann", 9), []string{participantID(1), participantID(1)})
		equal(t, "one who was erika", len(who("erika", 1)), 1)
		equal(t, "who was bob", len(who("bob", 9)), 0)
		update(t, s, func(tx stage.Tx) error { return tx.Erase(session.No, 1) })
		equal(t, "who was ann, after all", len(who("ann", 9)), 0)
		equal(t, "who was erika still", who("erika", 9), []string{participantID(2), participantID(2)})
		list := read(t, s, func(tx stage.Tx) ([]stage.Event, error) {
			return tx.Events(stage.EventQuery{Session: session.No, Participant: participantID(1), Limit: 1})
		})
		want := stage.Exchange{Previous: both.New, New: both.Previous}
		want.Previous.UserID, want.New.UserID = "", ""
		want.Previous.Attributes, want.New.Attributes = map[string]string{}, map[string]string{}
		equal(t, "what is left of it", *list[0].Exchange, want)
	})
	t.Run("exchanges go with their session", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		session := bygone(t, s, "a", 1)
		for range 5 {
			exchange(t, s, session, participantID(1), both)
		}
		update(t, s, func(tx stage.Tx) error { return tx.Expire(session) })
		for n := 1; n > 0; {
			update(t, s, func(tx stage.Tx) (err error) { n, err = tx.Sweep(2); return err })
		}
		left := read(t, s, func(tx stage.Tx) ([]string, error) { return tx.Exchanged(session.No, "ann", 9) })
		equal(t, "exchanges that are left", len(left), 0)
	})
}
