package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

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
	conn     conn
	now      time.Time
	ctx      context.Context // ends a View between two statements; nil in an Update
	writable bool
	shared   bool // the commit has other updates; this one needs its own way back
	wrote    bool
	err      error  // why nothing more can be done
	change   change // what the rolls have to know once it is committed
	numbers  *numbers
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

// ready tells why no statement can be run, nil if one can.
func (t *tx) ready() error {
	if t.err == nil && t.ctx != nil {
		t.err = t.ctx.Err()
	}
	return t.err
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
		if err := t.conn.mark(); err != nil {
			return t.fail(err)
		}
	}
	t.wrote = true
	return nil
}

// one reads the one row of a result; ErrNoRow if it is empty.
func (t *tx) one(sql string, scan func(row), args ...any) error {
	n, err := t.rows(sql, 1, scan, args)
	if err == nil && n == 0 {
		return stage.ErrNoRow
	}
	return err
}

// all reads the rows of a result.
func (t *tx) all(sql string, scan func(row), args ...any) error {
	_, err := t.rows(sql, maxRows, scan, args)
	return err
}

func (t *tx) rows(sql string, most int, scan func(row), args []any) (int, error) {
	if err := t.ready(); err != nil {
		return 0, err
	}
	n, err := t.conn.rows(sql, args, most, scan)
	if err != nil {
		return n, t.fail(err)
	}
	return n, nil
}

// exec runs a statement that writes and returns how many rows it touched.
func (t *tx) exec(sql string, args ...any) (int, error) {
	if err := t.willWrite(); err != nil {
		return 0, err
	}
	n, err := t.conn.exec(sql, args)
	if err != nil {
		return 0, t.fail(err)
	}
	return n, nil
}

// write runs a statement that writes, of which nobody asks how many rows it
// touched. It may be sent with what follows; if it fails, that fails.
func (t *tx) write(sql string, args ...any) error {
	if err := t.willWrite(); err != nil {
		return err
	}
	if err := t.conn.write(sql, args); err != nil {
		return t.fail(err)
	}
	return nil
}

// page makes the slice a list of at most limit rows is read into.
func page[T any](limit int) []T { return make([]T, 0, min(max(limit, 0), 1000)) }

// limited is the LIMIT of a list: never less than none, and a number for which
// no database needs more than 32 bits.
func limited(limit int) int64 { return int64(min(max(limit, 0), math.MaxInt32)) }

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
