package store

import (
	"fmt"

	"callboard/internal/stage"
)

const (
	selectSecret = `SELECT value FROM secret WHERE name = $1`
	insertSecret = `INSERT INTO secret (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`

	selectPass = `SELECT expires, barred FROM pass WHERE stage = $1 AND participant = $2`
	putPass    = `INSERT INTO pass (stage, participant, expires, barred) VALUES ($1, $2, $3, $4)
		ON CONFLICT (stage, participant) DO UPDATE SET expires = excluded.expires, barred = excluded.barred`
	forgetPasses = `DELETE FROM pass WHERE (stage, participant) IN
		(SELECT stage, participant FROM pass WHERE expires > 0 AND expires < $1 ORDER BY expires LIMIT 4)`
)

// Secret reads a server secret by name.
func (t *tx) Secret(name string) (value []byte, err error) {
	err = t.one(selectSecret, func(r row) { value = r.bytes(0) }, name)
	return value, err
}

// PutSecret stores a server secret under a name that has none yet.
func (t *tx) PutSecret(name string, value []byte) error {
	n, err := t.exec(insertSecret, name, value)
	if err == nil && n == 0 {
		err = fmt.Errorf("the secret %q exists", name)
	}
	return err
}

// Pass reads what is known of a participant id's permission on a stage.
func (t *tx) Pass(arn stage.ARN, participantID string) (stage.Pass, error) {
	p := stage.Pass{Stage: arn, ParticipantID: participantID}
	err := t.one(selectPass, func(r row) {
		p.Expires, p.Barred = r.time(0), r.bool(1)
	}, arn.String(), participantID)
	if err != nil {
		return stage.Pass{}, err
	}
	return p, nil
}

// PutPass inserts or replaces a pass. It first forgets a few that have
// expired: more than it adds, so they never pile up.
func (t *tx) PutPass(p stage.Pass) error {
	if err := t.write(forgetPasses, t.now); err != nil {
		return err
	}
	return t.write(putPass, p.Stage.String(), p.ParticipantID, p.Expires, p.Barred)
}
