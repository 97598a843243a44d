package store

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"callboard/internal/stage"
)

// A walk goes through the rows of a session as they lie, some at a time, and
// leaves out in SQL what it can: for questions too rare to have an index that
// every join would have to pay for.
const (
	walkRange = `p.session = $1 AND p.seq > $2 AND p.seq <= $3`
	walked    = ` WHERE ` + walkRange + `
		AND p.connected >= $4 AND p.connected <= $5 AND p.published >= $6 AND p.published <= $7
		AND p.recording >= $8 AND p.recording <= $9 AND p.first_join >= $10 AND p.first_join < $11
		AND SUBSTR(p.user_id, 1, CAST($12 AS INTEGER)) = $13`
	walkedDetail = ` LEFT JOIN participant_detail d ON d.session = p.session AND d.seq = p.seq` + walked + `
		AND SUBSTR(COALESCE(d.protocol, ''), 1, CAST($14 AS INTEGER)) = $15`

	walkColumns = `p.seq, p.id, p.user_id, p.connected, p.published, p.recording, p.first_join`
	walkOrder   = ` ORDER BY p.session, p.seq`

	walkRows   = `SELECT ` + walkColumns + ` FROM participant p` + walked + walkOrder
	walkDetail = `SELECT ` + walkColumns + `, COALESCE(d.attributes, '{}'), COALESCE(d.protocol, ''),
		COALESCE(d.os_name, ''), COALESCE(d.os_version, ''), COALESCE(d.browser_name, ''), COALESCE(d.browser_version, ''),
		COALESCE(d.sdk_version, '') FROM participant p` + walkedDetail + `
		AND REPLACE(COALESCE(d.attributes, '{}'), $16, '') <> COALESCE(d.attributes, '{}')` + walkOrder
	countRows   = `SELECT COUNT(*) FROM participant p` + walked
	countDetail = `SELECT COUNT(*) FROM participant p` + walkedDetail
	countPair   = countDetail + `
		AND (REPLACE(d.attributes, $16, '') <> d.attributes OR REPLACE(d.attributes, $17, '') <> d.attributes)`

	listHistories = `SELECT p.seq, e.no, e.at, e.participant, e.name, e.remote, e.error
		FROM participant p JOIN event e ON e.session = p.session AND e.participant = p.id
		WHERE ` + walkRange + ` ORDER BY p.session, p.seq, e.no`
	listSessionEvents = `SELECT no, at, participant, name, remote, error FROM event
		WHERE session = $1 AND (participant, no) > ($2, $3)
		ORDER BY session, participant, no LIMIT 0 + $4`
)

// Walk lists the participants that a walk through a session comes by.
func (t *tx) Walk(q stage.WalkQuery) ([]stage.Participant, error) {
	list := []stage.Participant{}
	args := walkArgs(&q)
	if !q.Detail && !q.Filter.Detailed() {
		err := t.all(walkRows, func(r row) {
			if p := scanParticipant(r, q.Session); q.Filter.Match(&p) {
				list = append(list, p)
			}
		}, args...)
		return list, err
	}
	pair, err := needle(q.Filter.Attributes)
	if err != nil {
		return nil, err
	}
	var bad error
	err = t.all(walkDetail, func(r row) {
		p := scanParticipant(r, q.Session)
		var wrong error
		if p.Detail, wrong = scanDetail(r, 7); wrong != nil {
			bad = wrong
		} else if q.Filter.Match(&p) {
			list = append(list, p)
		}
	}, append(detailArgs(args, &q), pair)...)
	return list, errors.Join(err, bad)
}

// Count counts the participants that Walk would list.
func (t *tx) Count(q stage.WalkQuery) (n int64, err error) {
	pair, single := onlyPair(q.Filter.Attributes)
	if q.Filter.UserID != nil || len(q.Filter.Attributes) > 0 && !single { // SQL comes near to these only
		list, err := t.Walk(q)
		return int64(len(list)), err
	}
	sql, args := countRows, walkArgs(&q)
	switch {
	case single: // in a text no quote comes after a brace or a comma, but at its end
		sql, args = countPair, append(detailArgs(args, &q), "{"+pair, ","+pair)
	case q.Filter.Detailed():
		sql, args = countDetail, detailArgs(args, &q)
	}
	err = t.one(sql, func(r row) { n = r.int(0) }, args...)
	return n, err
}

// Histories shows visit the events of some participants.
func (t *tx) Histories(session, above, through int64, visit func(seq int64, e stage.Event)) error {
	return t.all(listHistories, func(r row) { visit(r.int(0), scanOwn(r, 1, session)) }, session, above, through)
}

// scanOwn reads an event of a session that is known, so that its stage is as well.
func scanOwn(r row, first int, session int64) stage.Event {
	return stage.Event{
		No: r.int(first), At: r.time(first + 1), Session: session, Participant: r.text(first + 2),
		Name: stage.EventName(r.text(first + 3)), Remote: r.text(first + 4), Error: stage.ErrorCode(r.text(first + 5)),
	}
}

// SessionEvents lists all events of a session by participant.
func (t *tx) SessionEvents(session int64, after stage.Event, limit int) ([]stage.Event, error) {
	list := page[stage.Event](limit)
	err := t.all(listSessionEvents, func(r row) { list = append(list, scanOwn(r, 0, session)) },
		session, after.Participant, after.No, limited(limit))
	if err == nil {
		err = t.exchanges(list)
	}
	return list, err
}

// walkArgs are what the conditions of a walk are about; one that is not set
// lets everybody pass.
func walkArgs(q *stage.WalkQuery) []any {
	f := &q.Filter
	prefix := f.UserPrefix
	if f.UserID != nil {
		prefix = *f.UserID
	}
	recording := [2]int64{0, math.MaxInt16}
	if f.Recording != nil {
		recording = [2]int64{int64(*f.Recording), int64(*f.Recording)}
	}
	before := int64(math.MaxInt64)
	if !f.JoinedBefore.IsZero() {
		before = ceilMillis(f.JoinedBefore)
	}
	connected, published := either(f.Connected), either(f.Published)
	return []any{
		q.Session, q.Above, q.Through, connected[0], connected[1], published[0], published[1], recording[0], recording[1],
		ceilMillis(f.JoinedFrom), before, int64(utf8.RuneCountInString(prefix)), prefix,
	}
}

func detailArgs(args []any, q *stage.WalkQuery) []any {
	whole := int64(0)
	if q.Filter.Protocol != "" {
		whole = math.MaxInt16
	}
	return append(args, whole, string(q.Filter.Protocol))
}

// needle is a text that the stored form of attributes has if they are among
// those asked for; it may have it without, too. Every stored form has a brace.
func needle(attributes map[string]string) (string, error) {
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		pair, err := encodeMap(map[string]string{key: attributes[key]})
		return strings.Trim(pair, "{}"), err
	}
	return "{", nil
}

// onlyPair gives the one attribute that is asked for as every stored form has it
// that has it at all.
func onlyPair(attributes map[string]string) (pair string, single bool) {
	for key, value := range attributes {
		single = len(attributes) == 1 &&
			utf8.ValidString(key) && utf8.ValidString(value) && // or others would be stored like it
			strings.TrimLeft(key, ":,}") == key // or its quote might be the end of a text before
	}
	if !single {
		return "", false
	}
	pair, err := needle(attributes)
	return pair, err == nil
}

// either gives the bounds of a flag.
func either(flag *bool) [2]int64 {
	switch {
	case flag == nil:
		return [2]int64{0, 1}
	case *flag:
		return [2]int64{1, 1}
	}
	return [2]int64{0, 0}
}

// ceilMillis is the first millisecond that is not before a time.
func ceilMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Add(time.Millisecond - time.Nanosecond).UnixMilli()
}
