package store

import (
	"errors"

	"callboard/internal/stage"
)

const (
	insertExchange = `INSERT INTO exchange (no, session, participant,
			old_user_id, old_attributes, old_may_publish, old_may_subscribe, old_expires,
			new_user_id, new_attributes, new_may_publish, new_may_subscribe, new_expires)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	selectExchange = `SELECT old_user_id, old_attributes, old_may_publish, old_may_subscribe, old_expires,
			new_user_id, new_attributes, new_may_publish, new_may_subscribe, new_expires
		FROM exchange WHERE no = $1`
	listExchangedFrom = `SELECT DISTINCT participant FROM exchange WHERE session = $1 AND old_user_id = $2 LIMIT 0 + $3`
	listExchangedTo   = `SELECT DISTINCT participant FROM exchange WHERE session = $1 AND new_user_id = $2 LIMIT 0 + $3`
	deleteExchanges   = `DELETE FROM exchange WHERE no IN
		(SELECT no FROM exchange WHERE session = $1 AND session = $2 ORDER BY session, participant LIMIT 0 + $3)`
	eraseExchanges = `UPDATE exchange SET old_user_id = '', old_attributes = '{}', new_user_id = '', new_attributes = '{}'
		WHERE session = $1 AND participant = (SELECT id FROM participant WHERE session = $2 AND seq = $3)`
)

// putExchange stores what an event that has just been appended tells of tokens.
func (t *tx) putExchange(e *stage.Event) error {
	from, to := &e.Exchange.Previous, &e.Exchange.New
	before, err := encodeMap(from.Attributes)
	if err != nil {
		return err
	}
	after, err := encodeMap(to.Attributes)
	if err != nil {
		return err
	}
	return t.write(insertExchange, e.No, e.Session, e.Participant,
		from.UserID, before, from.MayPublish, from.MaySubscribe, from.Expires,
		to.UserID, after, to.MayPublish, to.MaySubscribe, to.Expires)
}

// exchanges fills in what events tell of tokens. They are so rare that each is
// looked up by itself.
func (t *tx) exchanges(list []stage.Event) error {
	for i := range list {
		if list[i].Name != stage.TokenExchanged {
			continue
		}
		var x stage.Exchange
		var wrong [2]error
		err := t.one(selectExchange, func(r row) {
			x.Previous, wrong[0] = scanGrant(r, 0)
			x.New, wrong[1] = scanGrant(r, 5)
		}, list[i].No)
		if errors.Is(err, stage.ErrNoRow) {
			continue // its session is being removed
		}
		if err := errors.Join(err, wrong[0], wrong[1]); err != nil {
			return err
		}
		list[i].Exchange = &x
	}
	return nil
}

func scanGrant(r row, first int) (g stage.Grant, err error) {
	g.Attributes, err = decodeMap(r.text(first + 1))
	g.UserID, g.MayPublish, g.MaySubscribe, g.Expires = r.text(first), r.bool(first+2), r.bool(first+3), r.time(first+4)
	return g, err
}

// Exchanged lists participants who had a user id until, or since, they exchanged
// their token; one may be listed twice.
func (t *tx) Exchanged(session int64, userID string, limit int) (ids []string, err error) {
	for _, sql := range []string{listExchangedFrom, listExchangedTo} {
		err := t.all(sql, func(r row) { ids = append(ids, r.text(0)) }, session, userID, limited(limit-len(ids)))
		if err != nil || len(ids) >= limit {
			return ids, err
		}
	}
	return ids, nil
}
