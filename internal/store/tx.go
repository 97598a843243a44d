package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"callboard/internal/stage"
)

var (
	errReadOnly = errors.New("a view must not write")
	errOver     = errors.New("the transaction is over")
)

// tx is one transaction: a View's, or one Update's share of a commit. Once a
// statement has failed nothing more can be done with it, as in PostgreSQL, so
// that an error that is overlooked cannot leave half of a fact behind.
type tx struct {
	conn     *conn
	now      time.Time
	ctx      context.Context // ends a View between two statements; nil in an Update
	writable bool
	shared   bool // the commit has other updates; this one needs its own way back
	wrote    bool
	err      error  // why nothing more can be done
	change   change // what the rolls have to know once it is committed
}

// Now is when the transaction began.
func (t *tx) Now() time.Time { return t.now }

// over makes everything that is asked later fail.
func (t *tx) over() { t.err = errOver }

// fail remembers err as the end of the transaction.
func (t *tx) fail(err error) error {
	t.err = fmt.Errorf("database: %w", err)
	return t.err
}

func (t *tx) prepare(sql string, args []any) (*sqlite.Stmt, error) {
	if t.err != nil {
		return nil, t.err
	}
	if t.ctx != nil {
		if err := t.ctx.Err(); err != nil {
			t.err = err
			return nil, err
		}
	}
	s, err := t.conn.prepare(sql)
	if err != nil {
		return nil, t.fail(err)
	}
	bind(s, args)
	return s, nil
}

// willWrite must be called before every statement that writes. The first one
// marks the way back: an update that only reads never pays for it.
func (t *tx) willWrite() error {
	switch {
	case t.err != nil:
		return t.err
	case !t.writable:
		t.err = errReadOnly
		return t.err
	case t.shared && !t.wrote:
		if err := t.conn.run(savepoint); err != nil {
			return t.fail(err)
		}
	}
	t.wrote = true
	return nil
}

// one reads the one row of a result; ErrNoRow if it is empty.
func (t *tx) one(sql string, scan func(row), args ...any) error {
	s, err := t.prepare(sql, args)
	if err != nil {
		return err
	}
	defer s.Reset()
	found, err := s.Step()
	if err != nil {
		return t.fail(err)
	}
	if !found {
		return stage.ErrNoRow
	}
	scan(row{s})
	return nil
}

// all reads the rows of a result.
func (t *tx) all(sql string, scan func(row), args ...any) error {
	s, err := t.prepare(sql, args)
	if err != nil {
		return err
	}
	defer s.Reset()
	for {
		more, err := s.Step()
		if err != nil {
			return t.fail(err)
		}
		if !more {
			return nil
		}
		scan(row{s})
	}
}

// exec runs a statement that writes and returns how many rows it touched.
func (t *tx) exec(sql string, args ...any) (int, error) {
	if err := t.willWrite(); err != nil {
		return 0, err
	}
	s, err := t.prepare(sql, args)
	if err != nil {
		return 0, err
	}
	defer s.Reset()
	if _, err := s.Step(); err != nil {
		return 0, t.fail(err)
	}
	return t.conn.Changes(), nil
}

const (
	nextNumber   = `UPDATE counter SET value = value + 1 WHERE name = $1 RETURNING value`
	setCounter   = `UPDATE counter SET value = $1 WHERE name = $2`
	counterValue = `SELECT value FROM counter WHERE name = $1`
)

// next gives the next number of a counter. The counter is part of the
// transaction, so a number that is not used is given again.
func (t *tx) next(counter string) (no int64, err error) {
	if err := t.willWrite(); err != nil {
		return 0, err
	}
	err = t.one(nextNumber, func(r row) { no = r.int(0) }, counter)
	return no, err
}

// page makes the slice a list of at most limit rows is read into.
func page[T any](limit int) []T { return make([]T, 0, min(max(limit, 0), 1000)) }

// limited is the LIMIT of a list: never less than none.
func limited(limit int) int64 { return int64(max(limit, 0)) }

// encodeMap gives a map as JSON text, the same for nil and empty.
func encodeMap(m map[string]string) (string, error) {
	if len(m) == 0 {
		return "{}", nil
	}
	b, err := json.Marshal(m)
	return string(b), err
}

// decodeMap reads what encodeMap wrote; the map is never nil.
func decodeMap(text string) (map[string]string, error) {
	m := map[string]string{}
	if text == "{}" {
		return m, nil
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, fmt.Errorf("stored JSON: %w", err)
	}
	return m, nil
}

// readARN reads what ARN.String wrote. Rows hold nothing else, so it does not
// check what it reads.
func readARN(text string) stage.ARN {
	rest, ok := strings.CutPrefix(text, "arn:aws:ivs:")
	if !ok {
		return stage.ARN{}
	}
	region, rest, _ := strings.Cut(rest, ":")
	account, rest, _ := strings.Cut(rest, ":")
	typ, id, _ := strings.Cut(rest, "/")
	return stage.ARN{Region: region, Account: account, Type: typ, ID: id}
}
