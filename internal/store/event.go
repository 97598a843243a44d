package store

import (
	"time"

	"callboard/internal/stage"
)

const (
	eventColumns = `no, at, stage, session, participant, name, remote, error`

	listFeed = `SELECT ` + eventColumns + ` FROM event WHERE no > $1 ORDER BY no LIMIT 0 + $2`
	listOf   = `SELECT ` + eventColumns + ` FROM event
		WHERE session = $1 AND participant = $2 AND no < $3
		ORDER BY session DESC, participant DESC, no DESC LIMIT 0 + $4`
	lastEvent   = `SELECT at FROM event WHERE no > 0 AND participant > '' ORDER BY no DESC LIMIT 1`
	insertEvent = `INSERT INTO event (no, at, stage, session, participant, name, remote, error)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
)

func scanEvent(r row) stage.Event {
	return stage.Event{
		No:          r.int(0),
		At:          r.time(1),
		Stage:       readARN(r.text(2)),
		Session:     r.int(3),
		Participant: r.text(4),
		Name:        stage.EventName(r.text(5)),
		Remote:      r.text(6),
		Error:       stage.ErrorCode(r.text(7)),
	}
}

// AppendEvent stores e under the next number of the feed.
func (t *tx) AppendEvent(e *stage.Event) error {
	no, err := t.next(eventNo)
	if err != nil {
		return err
	}
	err = t.later(insertEvent, no, e.At, e.Stage.String(), e.Session, e.Participant,
		string(e.Name), e.Remote, string(e.Error))
	if err == nil {
		e.No, t.change.event = no, no
	}
	if err == nil && e.Exchange != nil {
		err = t.putExchange(e)
	}
	return err
}

// Events lists the events of one participant, newest first.
func (t *tx) Events(q stage.EventQuery) ([]stage.Event, error) {
	list := page[stage.Event](q.Limit)
	err := t.all(listOf, func(r row) { list = append(list, scanEvent(r)) },
		q.Session, q.Participant, before(q.Before), limited(q.Limit))
	if err == nil {
		err = t.exchanges(list)
	}
	return list, err
}

// Feed lists all events after a number, oldest first.
func (t *tx) Feed(after int64, limit int) ([]stage.Event, error) {
	list := page[stage.Event](limit)
	err := t.all(listFeed, func(r row) { list = append(list, scanEvent(r)) }, after, limited(limit))
	if err == nil {
		err = t.exchanges(list)
	}
	return list, err
}

// Beat notes that the server is alive at Now.
func (t *tx) Beat() error {
	return t.later(setCounter, t.now, "beat")
}

// LastBeat is the later of the last noted beat and the last event of a participant.
// A session's own events do not count: who completes the facts after a crash
// writes that sessions have ended, and may die before it has come to the last one.
func (t *tx) LastBeat() (time.Time, error) {
	var beat, event time.Time
	if err := t.one(counterValue, func(r row) { beat = r.time(0) }, "beat"); err != nil {
		return time.Time{}, err
	}
	if err := t.all(lastEvent, func(r row) { event = r.time(0) }); err != nil {
		return time.Time{}, err
	}
	if event.After(beat) {
		return event, nil
	}
	return beat, nil
}
