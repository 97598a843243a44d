package store

import (
	"context"
	"errors"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// liteConn is a [conn] of SQLite.
type liteConn struct {
	*sqlite.Conn
	path       string
	statements map[string]*sqlite.Stmt
	waiting    []liteStatement // handed to later and not run yet
	place      place
	draft      *draft // takes what was run, for the journal; nil if there is none
}

type liteStatement struct {
	sql  string
	args []any
}

// place is what there is of a savepoint. It is costly, because SQLite keeps a
// copy of every page that is changed after it; so one is made only when a
// statement runs before it is certain that the update will stay.
type place int

const (
	unmarked place = iota
	wanted         // it would be here
	marked
	passed // it should have been made: a statement failed that cannot
)

// prepare gives a statement in its initial state. Whoever has used it must
// reset it. Arguments of an earlier use are still bound.
func (c *liteConn) prepare(sql string) (*sqlite.Stmt, error) {
	if s := c.statements[sql]; s != nil {
		return s, nil
	}
	s, err := c.Prepare(dialect.Replace(sql))
	if err != nil {
		return nil, err
	}
	c.statements[sql] = s
	return s, nil
}

// run runs a statement without arguments and results.
func (c *liteConn) run(sql string) error {
	s, err := c.prepare(sql)
	if err != nil {
		return err
	}
	defer s.Reset()
	_, err = s.Step()
	return err
}

func (c *liteConn) begin(context.Context) error { return c.run("BEGIN") }

// beginWrite takes the right to write at once instead of at the first
// statement that writes.
func (c *liteConn) beginWrite() error { return c.run("BEGIN IMMEDIATE") }

func (c *liteConn) beginSchema(ctx context.Context) error {
	c.SetInterrupt(ctx.Done())
	return c.beginWrite()
}

func (c *liteConn) commit() error {
	defer c.SetInterrupt(nil)
	if err := c.flush(); err != nil {
		return err
	}
	return c.run("COMMIT")
}

func (c *liteConn) rollback() error {
	defer c.SetInterrupt(nil)
	c.waiting, c.place = c.waiting[:0], unmarked
	if !c.active() {
		return nil // SQLite has often done it already
	}
	return c.run("ROLLBACK")
}

// syncing says whether commits from now on are durable when they return. Those
// that are not are still there wholly or not at all after a power cut, with all before them.
func (c *liteConn) syncing(on bool) error {
	level := "NORMAL"
	if on {
		level = "FULL"
	}
	return sqlitex.ExecuteTransient(c.Conn, "PRAGMA synchronous = "+level, nil)
}

func (c *liteConn) active() bool { return !c.AutocommitEnabled() }

func (c *liteConn) lost() bool { return false }

func (c *liteConn) mark() error {
	c.place = wanted
	if c.draft != nil {
		c.draft.place = c.draft.now()
	}
	return nil
}

func (c *liteConn) unmark() error {
	was := c.place
	c.place = unmarked
	if was == marked {
		return c.run("RELEASE one")
	}
	return nil
}

func (c *liteConn) undo() error {
	c.waiting = c.waiting[:0]
	if c.draft != nil {
		c.draft.undo(c.draft.place)
	}
	switch c.place {
	case marked:
		return c.run("ROLLBACK TO one")
	case passed:
		return errors.New("the database refused what it must take")
	}
	return nil
}

// settle runs what waits, because a statement that runs now may look at it. It
// is not certain yet that the update will stay.
func (c *liteConn) settle(writes bool) error {
	if c.place == wanted && (writes || len(c.waiting) > 0) {
		if err := c.run("SAVEPOINT one"); err != nil {
			return err
		}
		c.place = marked
	}
	return c.flush()
}

func (c *liteConn) rows(sql string, args []any, most int, scan func(row)) (n int, err error) {
	if err := c.settle(false); err != nil {
		return 0, err
	}
	s, err := c.prepare(sql)
	if err != nil {
		return 0, err
	}
	bind(s, args)
	defer s.Reset()
	for n < most {
		more, err := s.Step()
		if err != nil || !more {
			return n, err
		}
		scan(liteRow{s})
		n++
	}
	return n, nil
}

func (c *liteConn) exec(sql string, args []any) (int, error) {
	if err := c.settle(true); err != nil {
		return 0, err
	}
	return c.change(sql, args)
}

func (c *liteConn) change(sql string, args []any) (int, error) {
	s, err := c.prepare(sql)
	if err != nil {
		return 0, err
	}
	bind(s, args)
	defer s.Reset()
	if _, err := s.Step(); err != nil {
		return 0, err
	}
	if c.draft != nil {
		c.draft.add(sql, args...)
	}
	return c.Changes(), nil
}

// write is exec: what is in this process need not be waited for.
func (c *liteConn) write(sql string, args []any) error {
	_, err := c.exec(sql, args)
	return err
}

func (c *liteConn) later(sql string, args []any) error {
	c.waiting = append(c.waiting, liteStatement{sql, args})
	return nil
}

func (c *liteConn) flush() error {
	if len(c.waiting) == 0 {
		return nil
	}
	waiting := c.waiting
	c.waiting = c.waiting[:0]
	defer clear(waiting)
	for _, s := range waiting {
		if _, err := c.change(s.sql, s.args); err != nil {
			if c.place == wanted {
				c.place = passed
			}
			return err
		}
	}
	return nil
}

// announce tells nobody: nobody else is there.
func (c *liteConn) announce(string) error { return nil }

func (c *liteConn) script(sql string) error {
	return sqlitex.ExecuteScript(c.Conn, dialect.Replace(sql), nil)
}

func (c *liteConn) tables() (names []string, err error) {
	const sqliteTables = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'`
	_, err = c.rows(sqliteTables, nil, maxRows, func(r row) { names = append(names, r.text(0)) })
	return names, err
}

func (c *liteConn) columns(table string) (list []column, err error) {
	_, err = c.rows(`SELECT name, type FROM pragma_table_info('`+table+`') ORDER BY cid`, nil, maxRows, func(r row) {
		list = append(list, column{r.text(0), kindOf(r.text(1))})
	})
	return list, err
}

func (c *liteConn) close() error { return c.Conn.Close() }

// bind sets the arguments of a statement, the first to $1 and so on. SQLite
// counts placeholders as they appear, so the SQL must name them in order.
func bind(s *sqlite.Stmt, args []any) {
	for i, arg := range args {
		switch v := arg.(type) {
		case int64:
			s.BindInt64(i+1, v)
		case string:
			s.BindText(i+1, v)
		case bool:
			s.BindBool(i+1, v)
		case time.Time:
			s.BindInt64(i+1, millis(v))
		case []byte:
			s.BindBytes(i+1, v)
		default:
			panic("store: an argument of a type that has no column")
		}
	}
}

// liteRow is a row of SQLite.
type liteRow struct{ s *sqlite.Stmt }

func (r liteRow) int(col int) int64      { return r.s.ColumnInt64(col) }
func (r liteRow) bool(col int) bool      { return r.s.ColumnInt64(col) != 0 }
func (r liteRow) text(col int) string    { return r.s.ColumnText(col) }
func (r liteRow) time(col int) time.Time { return fromMillis(r.s.ColumnInt64(col)) }

func (r liteRow) bytes(col int) []byte {
	b := make([]byte, r.s.ColumnLen(col))
	r.s.ColumnBytes(col, b)
	return b
}

// rewrite makes the file anew, without the unused parts of pages, where copies
// of rows that have moved are left over. What it needs for a while is in a
// file: in memory it would be as large as the database.
func (e *sqliteEngine) rewrite(ctx context.Context, c conn) error {
	lite := c.(*liteConn)
	lite.SetInterrupt(ctx.Done())
	defer lite.SetInterrupt(nil)
	var errs []error
	for _, sql := range []string{"PRAGMA temp_store = FILE", "VACUUM", "PRAGMA temp_store = MEMORY"} {
		errs = append(errs, sqlitex.ExecuteTransient(lite.Conn, sql, nil))
	}
	return errors.Join(errs...)
}

// scrub folds the log into the file and empties it: pages as they were before
// an erasure stay in it otherwise, until they are written over.
func (e *sqliteEngine) scrub(c conn) (inUse bool, err error) {
	lite := c.(*liteConn)
	lite.SetBusyTimeout(0) // the committer waits for this connection
	defer lite.SetBusyTimeout(busy)
	err = sqlitex.ExecuteTransient(lite.Conn, "PRAGMA wal_checkpoint(TRUNCATE)", &sqlitex.ExecOptions{
		ResultFunc: func(r *sqlite.Stmt) error { inUse = r.ColumnInt(0) != 0; return nil },
	})
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultBusy {
		return true, nil
	}
	return inUse, err
}
