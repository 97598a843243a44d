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
	participantValues    = `(session, seq, id, user_id, connected, published, recording, first_join)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (session, seq) DO `
	insertIfAbsent = `INSERT INTO participant ` + participantValues + `NOTHING`
	insertNew      = `INSERT INTO participant ` + participantValues + `UPDATE SET id = excluded.id, user_id = excluded.user_id,
		connected = excluded.connected, published = excluded.published, recording = excluded.recording, first_join = excluded.first_join`
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

// met is who was read last in an update. Whoever writes has most often read just
// before, and then it is known what there is to be written.
type met struct {
	session int64
	id      string
	there   bool
	row     stage.Participant // without its detail
	detail  storedDetail
}

// storedDetail is a detail as its row has it.
type storedDetail struct {
	attributes string // JSON
	protocol   stage.Protocol
	client     stage.Client
}

func (d storedDetail) open() (*stage.Detail, error) {
	attributes, err := decodeMap(d.attributes)
	return &stage.Detail{Attributes: attributes, Protocol: d.protocol, Client: d.client}, err
}

// Participant reads one participant of a session by id. Its detail is never
// nil, but empty when none was ever put.
func (t *tx) Participant(session int64, id string) (p stage.Participant, err error) {
	t.met = met{}
	err = t.one(selectParticipantID, func(r row) { p = scanParticipant(r, session) }, session, id)
	if errors.Is(err, stage.ErrNoRow) {
		t.met = met{session: session, id: id}
	}
	if err != nil {
		return stage.Participant{}, err
	}
	row := p
	detail, err := t.detail(session, p.Seq)
	if err != nil {
		return stage.Participant{}, err
	}
	t.met = met{session, id, true, row, detail}
	p.Detail, err = detail.open()
	return p, err
}

func (t *tx) detail(session, seq int64) (storedDetail, error) {
	d := storedDetail{attributes: "{}"}
	err := t.one(selectDetail, func(r row) { d = scanStored(r, 0) }, session, seq)
	if errors.Is(err, stage.ErrNoRow) {
		err = nil
	}
	return d, err
}

// scanDetail reads a detail, the first of whose columns has a number.
func scanDetail(r row, first int) (*stage.Detail, error) { return scanStored(r, first).open() }

func scanStored(r row, first int) storedDetail {
	return storedDetail{r.text(first), stage.Protocol(r.text(first + 1)), stage.Client{
		OSName:         r.text(first + 2),
		OSVersion:      r.text(first + 3),
		BrowserName:    r.text(first + 4),
		BrowserVersion: r.text(first + 5),
		SDKVersion:     r.text(first + 6),
	}}
}

// PutParticipant inserts or replaces, by session and Seq, a participant; a nil
// Detail leaves the stored one as it is.
func (t *tx) PutParticipant(p *stage.Participant) error {
	err := t.willWrite() // even if it turns out that there is nothing to write
	if err == nil {
		err = t.putRow(p)
	}
	if err == nil && p.Detail != nil {
		err = t.putDetail(p)
	}
	t.met = met{} // it has changed
	if err == nil {
		t.change.put = append(t.change.put, *p)
	}
	return err
}

func (t *tx) putRow(p *stage.Participant) error {
	args := []any{p.Session, p.Seq, p.ID, p.UserID, p.Connected, p.Published, int64(p.Recording), p.FirstJoin}
	known := t.met.id == p.ID && t.met.session == p.Session
	switch {
	case known && !t.met.there:
		return t.later(insertNew, args...)
	case known && t.met.row.Seq == p.Seq:
		return t.changeParticipant(&t.met.row, p)
	}
	n, err := t.exec(insertIfAbsent, args...)
	if err != nil || n > 0 {
		return err
	}
	var old stage.Participant
	if err := t.one(selectParticipantSeq, func(r row) { old = scanParticipant(r, p.Session) }, p.Session, p.Seq); err != nil {
		return err
	}
	return t.changeParticipant(&old, p)
}

// changeParticipant updates only what differs: each column it leaves alone is
// an index that need not be written.
func (t *tx) changeParticipant(old, p *stage.Participant) (err error) {
	if p.Connected != old.Connected {
		err = t.later(updateConnected, p.Connected, p.Session, p.Seq)
	}
	if err == nil && p.Published != old.Published {
		err = t.later(updatePublished, p.Published, p.Session, p.Seq)
	}
	if err == nil && p.Recording != old.Recording {
		err = t.later(updateRecording, int64(p.Recording), p.Session, p.Seq)
	}
	if err == nil && p.UserID != old.UserID {
		err = t.later(updateUserID, p.UserID, p.Session, p.Seq)
	}
	if err == nil && (p.ID != old.ID || millis(p.FirstJoin) != millis(old.FirstJoin)) {
		err = t.write(updateIdentity, p.ID, p.FirstJoin, p.Session, p.Seq)
	}
	return err
}

// putDetail writes the detail of a row that was written before, unless it is
// there as it should be.
func (t *tx) putDetail(p *stage.Participant) error {
	attributes, err := encodeMap(p.Detail.Attributes)
	if err != nil {
		return err
	}
	c := p.Detail.Client
	known := t.met.there && t.met.row.Session == p.Session && t.met.row.Seq == p.Seq
	if known && t.met.detail == (storedDetail{attributes, p.Detail.Protocol, c}) {
		return nil
	}
	return t.later(putDetail, p.Session, p.Seq, attributes, string(p.Detail.Protocol),
		c.OSName, c.OSVersion, c.BrowserName, c.BrowserVersion, c.SDKVersion)
}
