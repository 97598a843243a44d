package store

import "callboard/internal/stage"

const (
	listProcesses = `SELECT id, url, settings, renewed, expires FROM process WHERE id > '' ORDER BY id`
	putProcess    = `INSERT INTO process (id, url, settings, renewed, expires) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE SET url = excluded.url, settings = excluded.settings,
			renewed = excluded.renewed, expires = excluded.expires`
	deleteProcess = `DELETE FROM process WHERE id = $1`

	selectSeat = `SELECT process FROM seat WHERE stage = $1 AND participant = $2`
	listSeats  = `SELECT stage, participant FROM seat WHERE process = $1 ORDER BY process, stage, participant LIMIT 0 + $2`
	putSeat    = `INSERT INTO seat (stage, participant, process) VALUES ($1, $2, $3)
		ON CONFLICT (stage, participant) DO UPDATE SET process = excluded.process`
	deleteSeat = `DELETE FROM seat WHERE stage = $1 AND participant = $2`
)

// Processes lists the servers that run on these facts, in the order of their ids.
func (t *tx) Processes() ([]stage.Process, error) {
	list := []stage.Process{}
	err := t.all(listProcesses, func(r row) {
		list = append(list, stage.Process{ID: r.text(0), URL: r.text(1), Settings: r.text(2), Renewed: r.time(3), Expires: r.time(4)})
	})
	return list, err
}

// PutProcess inserts or replaces a server.
func (t *tx) PutProcess(p stage.Process) error {
	return t.write(putProcess, p.ID, p.URL, p.Settings, p.Renewed, p.Expires)
}

// DeleteProcess removes a server; its seats stay.
func (t *tx) DeleteProcess(id string) error {
	return t.write(deleteProcess, id)
}

// Seat reads which server holds a participant.
func (t *tx) Seat(arn stage.ARN, participantID string) (stage.Seat, error) {
	s := stage.Seat{Stage: arn, ParticipantID: participantID}
	err := t.one(selectSeat, func(r row) { s.Process = r.text(0) }, arn.String(), participantID)
	return s, err
}

// Seats lists whom a server holds, at most limit of them.
func (t *tx) Seats(process string, limit int) ([]stage.Seat, error) {
	list := page[stage.Seat](limit)
	err := t.all(listSeats, func(r row) {
		list = append(list, stage.Seat{Stage: readARN(r.text(0)), ParticipantID: r.text(1), Process: process})
	}, process, limited(limit))
	return list, err
}

// PutSeat inserts or replaces a seat.
func (t *tx) PutSeat(s stage.Seat) error {
	return t.write(putSeat, s.Stage.String(), s.ParticipantID, s.Process)
}

// DeleteSeat removes a seat, if there is one.
func (t *tx) DeleteSeat(arn stage.ARN, participantID string) error {
	return t.write(deleteSeat, arn.String(), participantID)
}
