package store

import (
	"context"
	"math"
	"strings"
	"time"
)

// engine is a database that speaks the SQL of this package: SQLite, or
// PostgreSQL.
type engine interface {
	// pools gives the connection that writes, and those that read; they may be one.
	pools() (writer, readers *pool)
	// shared tells whether other processes may write to the same database.
	shared() bool
	// journal is what makes batches durable before they are committed; nil if
	// only a commit does.
	journal() *journal
	// rewrite makes the files anew, so that nothing that was erased stays in them.
	rewrite(ctx context.Context, c conn) error
	// scrub has what was erased leave the files that a writing connection keeps
	// beside the database; inUse says that somebody reads them now.
	scrub(c conn) (inUse bool, err error)
	// sole gives a connection for long work, and fails if others use the
	// database. It has no bound on how long a statement takes.
	sole(ctx context.Context) (conn, error)
	// close gives back what is not a connection.
	close() error
}

// conn is a connection, used by one goroutine at a time, with the statements
// it has prepared. Placeholders are named $1, $2 and so on in the order in
// which they appear; arguments are int64, string, bool, [time.Time] or []byte.
type conn interface {
	// begin starts a transaction that reads one snapshot. No statement waits
	// longer than the deadline of ctx.
	begin(ctx context.Context) error
	// beginWrite starts a transaction that has the right to write, which
	// nobody else has until it is over: in the whole database, not only in
	// this process. It sees all that was committed before.
	beginWrite() error
	// beginSchema starts a transaction that may change the schema, alone.
	beginSchema(ctx context.Context) error
	commit() error
	rollback() error
	active() bool // whether there is still a transaction
	lost() bool   // whether the database is out of reach; the next begin tries to reach it again

	// mark notes a place in the transaction to which undo brings it back;
	// unmark forgets it.
	mark() error
	unmark() error
	undo() error

	// rows runs a statement and has scan look at most rows of its result.
	rows(sql string, args []any, most int, scan func(row)) (n int, err error)
	// exec runs a statement that writes and gives how many rows it touched.
	exec(sql string, args []any) (int, error)
	// write is exec without the number. It may run later, but before what
	// follows; then it is that which fails, or flush.
	write(sql string, args []any) error
	// later is write of a statement that cannot fail unless everything does: it
	// breaks no constraint, whatever its arguments. An update that writes in no
	// other way may do without the mark that was asked for.
	later(sql string, args []any) error
	// flush waits for all that was written.
	flush() error

	// announce tells the other processes on this database something when the
	// transaction is committed; it may get lost.
	announce(text string) error

	script(sql string) error   // of statements that change the schema
	tables() ([]string, error) // names of all tables but the engine's own
	columns(table string) ([]column, error)
	close() error
}

// row is a row of a result; columns count from 0.
type row interface {
	int(col int) int64
	bool(col int) bool
	text(col int) string
	time(col int) time.Time
	bytes(col int) []byte
}

// maxRows is no bound on how many rows are read.
const maxRows = math.MaxInt

// IsURL tells whether data names a database server and not a file.
func IsURL(data string) bool {
	return strings.HasPrefix(data, "postgres://") || strings.HasPrefix(data, "postgresql://")
}

func openEngine(o *Options) (engine, error) {
	switch {
	case IsURL(o.Path):
		return openPostgres(o)
	case o.Path == "memory:":
		return openSQLite("", 0)
	default:
		return openSQLite(o.Path, o.JournalBytes)
	}
}

// millis is how a time is stored; 0 is the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
