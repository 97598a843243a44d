package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// pgDialect turns the common SQL into PostgreSQL's: text is ordered by its
// bytes, as in SQLite, whatever language the database is of. And a filter is a
// range, which only the index made for it has in the order of the list: of an
// equality the planner knows that the primary key has that order too.
var pgDialect = strings.NewReplacer(
	"TEXT NOT NULL", `TEXT COLLATE "C" NOT NULL`,
	"user_id = $2 AND seq < $3", "user_id >= $2 AND (user_id, seq) < ($2, $3)",
	"connected = $2 AND seq < $3", "connected >= $2 AND (connected, seq) < ($2, $3)",
	"published = $2 AND seq < $3", "published >= $2 AND (published, seq) < ($2, $3)",
	"recording = $2 AND seq < $3", "recording >= $2 AND (recording, seq) < ($2, $3)",
)

const (
	pgBegin      = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	pgBeginWrite = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
	// pgTurn waits until it is this process's turn to write: everybody who
	// writes begins with this row. A statement after it sees all commits before.
	pgTurn = `SELECT value FROM counter WHERE name = 'event' FOR UPDATE`
	// pgSchemaTurn waits for whoever changes the schema; the number is the
	// first eight letters of callboard, as bytes.
	pgSchemaTurn = `SELECT pg_advisory_xact_lock(7161124095259533682)`
	pgTables     = `SELECT CAST(table_name AS TEXT) FROM information_schema.tables
		WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'`
	pgColumns = `SELECT CAST(column_name AS TEXT), CAST(data_type AS TEXT) FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position`
	// pgOthers counts the connections of other servers.
	pgOthers = `SELECT COUNT(*) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()`
)

// pgConn is a [conn] of PostgreSQL. It is dialled when it is first used, and
// again when it was lost.
//
// What is written waits here until something is to be read, or flush is
// called, and goes out with it: one round trip for all.
type pgConn struct {
	dial func(context.Context) (*pgconn.PgConn, error)

	pg         *pgconn.PgConn // nil before the first use
	pipe       *pgconn.Pipeline
	statements map[string]string // names of what is prepared, by their SQL
	made       int               // how many were ever prepared

	waiting []pgStatement
	fresh   bool      // nothing of this transaction was sent: it can begin on a new connection
	mute    int       // whether notifications can be sent: 0 is not known, 1 yes, -1 no
	owed    bool      // the end of the last transaction was sent and not yet confirmed
	patient bool      // no statement of it has a deadline
	marked  int       // place of the mark among those that wait; -1: it was sent
	until   time.Time // end of patience of this transaction, zero for answerTime
}

// pgStatement is a statement that waits.
type pgStatement struct {
	sql  string
	args []any
}

func (c *pgConn) start(ctx context.Context, sql ...string) {
	c.waiting, c.fresh, c.marked = c.waiting[:0], true, -1
	c.until, _ = ctx.Deadline()
	for _, s := range sql {
		c.waiting = append(c.waiting, pgStatement{sql: s})
	}
}

func (c *pgConn) begin(ctx context.Context) error {
	c.start(ctx, pgBegin)
	return nil
}

func (c *pgConn) beginWrite() error {
	c.start(context.Background(), pgBeginWrite, pgTurn)
	return nil
}

// beginSchema takes a lock that some databases which speak like PostgreSQL do
// not have; there the operator starts one process first.
func (c *pgConn) beginSchema(ctx context.Context) error {
	c.start(ctx, pgBeginWrite, pgSchemaTurn)
	err := c.flush()
	if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) && pgErr.Code == "0A000" {
		c.rollback()
		c.start(ctx, pgBeginWrite)
		return c.flush()
	}
	return err
}

// commit fails with the connection lost when it is not known whether it came through.
func (c *pgConn) commit() error {
	c.waiting = append(c.waiting, pgStatement{sql: "COMMIT"})
	_, tag, err := c.exchange(0, nil)
	if err == nil && tag.String() != "COMMIT" {
		err = errors.New("a statement of the transaction had failed")
	}
	return err
}

// rollback does not wait for its confirmation.
func (c *pgConn) rollback() error {
	c.waiting, c.fresh = c.waiting[:0], false
	if c.lost() || c.owed || c.pg.TxStatus() == 'I' {
		return nil
	}
	if err := c.send(pgStatement{sql: "ROLLBACK"}); err != nil {
		return err
	}
	c.owed = true
	return c.pipe.Sync()
}

func (c *pgConn) active() bool {
	return c.fresh || !c.lost() && !c.owed && (c.pg.TxStatus() != 'I' || len(c.waiting) > 0)
}

func (c *pgConn) lost() bool { return c.pg == nil || c.pg.IsClosed() }

func (c *pgConn) mark() error {
	c.marked = len(c.waiting)
	return c.write("SAVEPOINT one", nil)
}

func (c *pgConn) unmark() error { return c.write("RELEASE one", nil) }

func (c *pgConn) undo() error {
	if c.marked >= 0 { // nobody has heard of it
		c.waiting = c.waiting[:c.marked+1]
		return nil
	}
	c.waiting = c.waiting[:0]
	return c.write("ROLLBACK TO one", nil)
}

func (c *pgConn) rows(sql string, args []any, most int, scan func(row)) (int, error) {
	c.waiting = append(c.waiting, pgStatement{sql, args})
	n, _, err := c.exchange(most, scan)
	return n, err
}

func (c *pgConn) exec(sql string, args []any) (int, error) {
	c.waiting = append(c.waiting, pgStatement{sql, args})
	_, tag, err := c.exchange(0, nil)
	return int(tag.RowsAffected()), err
}

// pgMost is how many statements wait at most.
const pgMost = 500

func (c *pgConn) write(sql string, args []any) error {
	c.waiting = append(c.waiting, pgStatement{sql, slices.Clone(args)})
	if len(c.waiting) < pgMost {
		return nil
	}
	return c.flush()
}

func (c *pgConn) flush() error {
	if len(c.waiting) == 0 {
		return nil
	}
	_, _, err := c.exchange(0, nil)
	return err
}

func (c *pgConn) announce(text string) error {
	if c.mute == 0 { // some databases that speak like PostgreSQL have none
		c.mute = -1
		_, err := c.rows(pgCanNotify, nil, 1, func(r row) {
			if r.int(0) > 0 {
				c.mute = 1
			}
		})
		if err != nil {
			c.mute = 0
			return err
		}
	}
	if c.mute < 0 {
		return nil
	}
	return c.write(pgNotify, []any{text})
}

// script leaves the pipeline, which knows no texts of several statements.
func (c *pgConn) script(sql string) error {
	if err := c.flush(); err != nil {
		return err
	}
	if err := c.pipe.Close(); err != nil {
		return err
	}
	c.pg.Conn().SetDeadline(time.Time{}) // an index on a large table takes its time
	_, err := c.pg.Exec(context.Background(), pgDialect.Replace(sql)).ReadAll()
	c.pipe = c.pg.StartPipeline(context.Background())
	return err
}

func (c *pgConn) tables() (names []string, err error) {
	_, err = c.rows(pgTables, nil, maxRows, func(r row) { names = append(names, r.text(0)) })
	return names, err
}

func (c *pgConn) columns(table string) (list []column, err error) {
	_, err = c.rows(pgColumns, []any{table}, maxRows, func(r row) {
		list = append(list, column{r.text(0), kindOf(r.text(1))})
	})
	return list, err
}

func (c *pgConn) close() error {
	if c.lost() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.pg.Close(ctx) // it is of no more use, whatever the server thinks of it
	return nil
}

// exchange sends what waits and reads the answers; scan sees rows of the last
// one. A transaction of which nothing was sent before may begin on a new
// connection, if this one was lost while it was idle.
func (c *pgConn) exchange(most int, scan func(row)) (n int, tag pgconn.CommandTag, err error) {
	fresh := c.fresh
	for {
		n, tag, err = c.attempt(most, scan)
		if err == nil || !fresh || n > 0 || !c.lost() {
			break
		}
		if fresh = false; c.pg == nil {
			break // it was dialled in vain just now
		}
	}
	c.waiting, c.fresh, c.marked = c.waiting[:0], false, -1
	return n, tag, err
}

func (c *pgConn) attempt(most int, scan func(row)) (n int, tag pgconn.CommandTag, err error) {
	if c.lost() {
		if !c.fresh {
			return 0, tag, errors.New("the connection to the database was lost")
		}
		if err := c.reach(); err != nil {
			return 0, tag, err
		}
	}
	until := c.until
	if until.IsZero() && !c.patient {
		until = time.Now().Add(answerTime)
	}
	c.pg.Conn().SetDeadline(until)
	made := c.made
	for _, s := range c.waiting {
		if err := c.send(s); err != nil {
			return 0, tag, err
		}
	}
	if err := c.pipe.Sync(); err != nil {
		return 0, tag, err
	}
	if c.owed {
		c.owed = false
		if _, _, err := c.answers(0, 0, nil); err != nil && c.lost() {
			return 0, tag, err
		}
	}
	n, tag, err = c.answers(len(c.waiting), most, scan)
	if err != nil { // what was to be prepared may not have been, or has become another thing
		c.forget(made, err)
	}
	return n, tag, err
}

// reach makes the connection.
func (c *pgConn) reach() error {
	ctx := context.Background()
	if !c.until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, c.until)
		defer cancel()
	}
	var err error
	if c.pg, err = c.dial(ctx); err != nil {
		c.pg = nil
		return err
	}
	c.statements, c.owed = map[string]string{}, false
	c.pipe = c.pg.StartPipeline(context.Background())
	return nil
}

// send puts a statement on its way.
func (c *pgConn) send(s pgStatement) error {
	name, ok := c.statements[s.sql]
	if !ok {
		name = fmt.Sprintf("s%d", c.made)
		c.made++
		c.statements[s.sql] = name
		c.pipe.SendPrepare(name, pgDialect.Replace(s.sql), nil)
	}
	c.pipe.SendQueryPrepared(name, pgArguments(s.args), nil, nil)
	return nil
}

// answers reads the answers of so many statements.
func (c *pgConn) answers(statements, most int, scan func(row)) (n int, tag pgconn.CommandTag, err error) {
	for {
		result, failed := c.pipe.GetResults()
		switch r := result.(type) {
		case *pgconn.PipelineSync:
			return n, tag, err
		case *pgconn.ResultReader:
			statements--
			for r.NextRow() {
				if statements == 0 && n < most {
					scan(pgRow(r.Values()))
					n++
				}
			}
			tag, failed = r.Close()
		case nil:
			if failed == nil {
				failed = errors.New("an answer of the database is missing")
				c.pg.Close(context.Background())
			}
		}
		if failed != nil && err == nil {
			err = failed
		}
		if c.pg.IsClosed() {
			return n, tag, err
		}
	}
}

// forget drops statements that were made since, or all if the schema has
// changed under them.
func (c *pgConn) forget(since int, err error) {
	pgErr := (*pgconn.PgError)(nil)
	if errors.As(err, &pgErr) && (pgErr.Code == "0A000" || pgErr.Code == "26000") {
		clear(c.statements)
	}
	for sql, name := range c.statements {
		if no := 0; since < c.made {
			if fmt.Sscanf(name, "s%d", &no); no >= since {
				delete(c.statements, sql)
			}
		}
	}
}
