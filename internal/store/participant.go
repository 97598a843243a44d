package store

import (
	"errors"

	"callboard/internal/stage"
)

// The lists name the filter's column in their order too, and say by which
// index they go: no planner is to walk the session and throw rows away, which
// would be slower the rarer the filter. Here as in all lists the limit is an
// expression, because SQLite looks at the value of a bare parameter there, and
// then may have to prepare the statement anew for the next value.
const (
	participantColumns = `seq, id, user_id, connected, published, recording, first_join`

	listParticipants = `SELECT ` + participantColumns + ` FROM participant
		WHERE session = $1 AND seq < $2
		ORDER BY session DESC, seq DESC LIMIT 0 + $3`
	listByUserID = `SELECT ` + participantColumns + ` FROM participant /* by participant_user_id */
		WHERE session = $1 AND user_id = $2 AND seq < $3
		ORDER BY session DESC, user_id DESC, seq DESC LIMIT 0 + $4`
	listByConnected = `SELECT ` + participantColumns + ` FROM participant /* by participant_connected */
		WHERE session = $1 AND connected = $2 AND seq < $3
		ORDER BY session DESC, connected DESC, seq DESC LIMIT 0 + $4`
	listByPublished = `SELECT ` + participantColumns + ` FROM participant /* by participant_published */
		WHERE session = $1 AND published = $2 AND seq < $3
		ORDER BY session DESC, published DESC, seq DESC LIMIT 0 + $4`
	listByRecording = `SELECT ` + participantColumns + ` FROM participant /* by participant_recording */
		WHERE session = $1 AND recording = $2 AND seq < $3
		ORDER BY session DESC, recording DESC, seq DESC LIMIT 0 + $4`

	selectParticipantID  = `SELECT ` + participantColumns + ` FROM participant WHERE session = $1 AND id = $2`
	selectParticipantSeq = `SELECT ` + participantColumns + ` FROM participant WHERE session = $1 AND seq = $2`
	insertParticipant    = `INSERT INTO participant (session, seq, id, user_id, connected, published, recording, first_join)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (session, seq) DO NOTHING`
	updateConnected = `UPDATE participant SET connected = $1 WHERE session = $2 AND seq = $3`
	updatePublished = `UPDATE participant SET published = $1 WHERE session = $2 AND seq = $3`
	updateRecording = `UPDATE participant SET recording = $1 WHERE session = $2 AND seq = $3`
	updateUserID    = `UPDATE participant SET user_id = $1 WHERE session = $2 AND seq = $3`
	updateIdentity  = `UPDATE participant SET id = $1, first_join = $2 WHERE session = $3 AND seq = $4`

	selectDetail = `SELECT attributes, protocol, os_name, os_version, browser_name, browser_version, sdk_version
		FROM participant_detail WHERE session = $1 AND seq = $2`
	putDetail = `INSERT INTO participant_detail
			(session, seq, attributes, protocol, os_name, os_version, browser_name, browser_version, sdk_version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (session, seq) DO UPDATE SET attributes = excluded.attributes, protocol = excluded.protocol,
			os_name = excluded.os_name, os_version = excluded.os_version, browser_name = excluded.browser_name,
			browser_version = excluded.browser_version, sdk_version = excluded.sdk_version`
)

func scanParticipant(r row, session int64) stage.Participant {
	return stage.Participant{
		Session:   session,
		Seq:       r.int(0),
		ID:        r.text(1),
		UserID:    r.text(2),
		Connected: r.bool(3),
		Published: r.bool(4),
		Recording: stage.RecordingState(r.int(5)),
		FirstJoin: r.time(6),
	}
}

// Participants lists participants of a session, the newest join first.
func (t *tx) Participants(q stage.ParticipantQuery) ([]stage.Participant, error) {
	list := page[stage.Participant](q.Limit)
	scan := func(r row) { list = append(list, scanParticipant(r, q.Session)) }
	from, limit := before(q.Before), limited(q.Limit)
	var err error
	switch {
	case q.UserID != nil:
		err = t.all(listByUserID, scan, q.Session, *q.UserID, from, limit)
	case q.Connected != nil:
		err = t.all(listByConnected, scan, q.Session, *q.Connected, from, limit)
	case q.Published != nil:
		err = t.all(listByPublished, scan, q.Session, *q.Published, from, limit)
	case q.Recording != nil:
		err = t.all(listByRecording, scan, q.Session, int64(*q.Recording), from, limit)
	default:
		err = t.all(listParticipants, scan, q.Session, from, limit)
	}
	return list, err
}

// Participant reads one participant of a session by id. Its detail is never
// nil, but empty when none was ever put.
func (t *tx) Participant(session int64, id string) (p stage.Participant, err error) {
	err = t.one(selectParticipantID, func(r row) { p = scanParticipant(r, session) }, session, id)
	if err != nil {
		return stage.Participant{}, err
	}
	p.Detail, err = t.detail(session, p.Seq)
	return p, err
}

func (t *tx) detail(session, seq int64) (*stage.Detail, error) {
	d := &stage.Detail{}
	attributes := "{}"
	err := t.one(selectDetail, func(r row) {
		attributes = r.text(0)
		d.Protocol = stage.Protocol(r.text(1))
		d.Client = stage.Client{
			OSName:         r.text(2),
			OSVersion:      r.text(3),
			BrowserName:    r.text(4),
			BrowserVersion: r.text(5),
			SDKVersion:     r.text(6),
		}
	}, session, seq)
	if err != nil && !errors.Is(err, stage.ErrNoRow) {
		return nil, err
	}
	d.Attributes, err = decodeMap(attributes)
	return d, err
}

// PutParticipant inserts or replaces, by session and Seq, a participant; a nil
// Detail leaves the stored one as it is.
func (t *tx) PutParticipant(p *stage.Participant) error {
	n, err := t.exec(insertParticipant, p.Session, p.Seq, p.ID, p.UserID, p.Connected, p.Published,
		int64(p.Recording), p.FirstJoin)
	if err == nil && n == 0 {
		err = t.changeParticipant(p)
	}
	if err == nil && p.Detail != nil {
		err = t.putDetail(p)
	}
	if err == nil {
		t.change.put = append(t.change.put, *p)
	}
	return err
}

// changeParticipant updates only what differs: each column it leaves alone is
// an index that need not be written.
func (t *tx) changeParticipant(p *stage.Participant) error {
	var old stage.Participant
	err := t.one(selectParticipantSeq, func(r row) { old = scanParticipant(r, p.Session) }, p.Session, p.Seq)
	if err == nil && p.Connected != old.Connected {
		err = t.write(updateConnected, p.Connected, p.Session, p.Seq)
	}
	if err == nil && p.Published != old.Published {
		err = t.write(updatePublished, p.Published, p.Session, p.Seq)
	}
	if err == nil && p.Recording != old.Recording {
		err = t.write(updateRecording, int64(p.Recording), p.Session, p.Seq)
	}
	if err == nil && p.UserID != old.UserID {
		err = t.write(updateUserID, p.UserID, p.Session, p.Seq)
	}
	if err == nil && (p.ID != old.ID || millis(p.FirstJoin) != millis(old.FirstJoin)) {
		err = t.write(updateIdentity, p.ID, p.FirstJoin, p.Session, p.Seq)
	}
	return err
}

func (t *tx) putDetail(p *stage.Participant) error {
	attributes, err := encodeMap(p.Detail.Attributes)
	if err != nil {
		return err
	}
	c := p.Detail.Client
	err = t.write(putDetail, p.Session, p.Seq, attributes, string(p.Detail.Protocol),
		c.OSName, c.OSVersion, c.BrowserName, c.BrowserVersion, c.SDKVersion)
	return err
}
