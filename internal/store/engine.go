package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Everything that is particular to SQLite is in this file.

const (
	// begin reads; beginWrite takes the right to write at once instead of at
	// the first statement that writes.
	begin      = "BEGIN"
	beginWrite = "BEGIN IMMEDIATE"
	commit     = "COMMIT"
	rollback   = "ROLLBACK"

	savepoint  = "SAVEPOINT one"
	release    = "RELEASE one"
	rollbackTo = "ROLLBACK TO one"
)

// busy is how long a statement waits for another program that has the file
// open, an operator's shell say.
const busy = 10 * time.Second

// dialect turns the common SQL into SQLite's. What is special is said in
// comments, for which another engine has another use or none: that a table is
// ordered by its primary key; and by which index a list goes, because SQLite
// thinks it cheaper to walk an ordered table and throw rows away.
var dialect = strings.NewReplacer(
	"/* clustered */", "WITHOUT ROWID",
	"BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY",
	"/* by session_live */", "INDEXED BY session_live",
	"/* by participant_user_id */", "INDEXED BY participant_user_id",
	"/* by participant_connected */", "INDEXED BY participant_connected",
	"/* by participant_published */", "INDEXED BY participant_published",
	"/* by participant_recording */", "INDEXED BY participant_recording",
)

// listTables names the tables of the database but for SQLite's own.
const listTables = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'`

// conn is a connection, used by one goroutine at a time, with the statements it
// has prepared.
type conn struct {
	*sqlite.Conn
	statements map[string]*sqlite.Stmt
}

// prepare gives a statement in its initial state. Whoever has used it must
// reset it. Arguments of an earlier use are still bound.
func (c *conn) prepare(sql string) (*sqlite.Stmt, error) {
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
func (c *conn) run(sql string) error {
	s, err := c.prepare(sql)
	if err != nil {
		return err
	}
	defer s.Reset()
	_, err = s.Step()
	return err
}

// Settings of every connection.
var common = []string{
	"PRAGMA page_size = 8192", // has a meaning for a new file only
	"PRAGMA temp_store = MEMORY",
}

// Settings of the connection that writes. A commit is durable when it returns,
// on macOS too. The log is folded back into the file every 4000 pages, by the
// commit that exceeds it; only a reader that stays makes it grow further.
var writing = []string{
	"PRAGMA synchronous = FULL",
	"PRAGMA fullfsync = ON",
	"PRAGMA checkpoint_fullfsync = ON",
	"PRAGMA cache_size = -65536", // KiB
	"PRAGMA wal_autocheckpoint = 4000",
	"PRAGMA journal_size_limit = 67108864",
}

var reading = []string{
	"PRAGMA query_only = ON",
	"PRAGMA cache_size = -8192", // KiB; mostly the file is read through the mapping
}

// mapped maps the file into memory, as much of it as SQLite allows, where
// there is address space for that. A commit empties the readers' caches, so
// without it they would read every page anew.
func mapped() string {
	if math.MaxInt == math.MaxInt32 {
		return "PRAGMA mmap_size = 0"
	}
	return fmt.Sprintf("PRAGMA mmap_size = %d", math.MaxInt32)
}

// connect opens one connection; path "" is a database of its own in memory.
func connect(path string, settings ...string) (*conn, error) {
	flags := sqlite.OpenReadWrite
	if path == "" {
		path, flags = ":memory:", flags|sqlite.OpenMemory
	}
	opened, err := sqlite.OpenConn(path, flags)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	c := &conn{Conn: opened, statements: map[string]*sqlite.Stmt{}}
	c.SetBusyTimeout(busy)
	for _, setting := range append(slices.Clone(settings), mapped()) {
		if err := sqlitex.ExecuteTransient(opened, setting, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("open the database %s: %s: %w", path, setting, err), c.Close())
		}
	}
	return c, nil
}

// connectWriter opens the connection that writes to a file.
func connectWriter(path string) (*conn, error) {
	c, err := connect(path, slices.Concat(common, writing)...)
	if err != nil {
		return nil, err
	}
	mode := ""
	err = sqlitex.ExecuteTransient(c.Conn, "PRAGMA journal_mode = WAL", &sqlitex.ExecOptions{
		ResultFunc: func(s *sqlite.Stmt) error { mode = s.ColumnText(0); return nil },
	})
	if err == nil && mode != "wal" {
		err = errors.New("its file system cannot share memory between connections; use a local disk")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the database %s: %w", path, err), c.Close())
	}
	return c, nil
}

// connectReader opens a connection that only reads a file.
func connectReader(path string) (*conn, error) {
	return connect(path, slices.Concat(common, reading)...)
}

// lock makes this process the only server on the database at path, until the
// connection it returns is closed or the process has gone. It is SQLite's own
// exclusive lock, on an empty file beside the database: the same on every
// system, and seen by a second store in this process as well.
func lock(path string) (*sqlite.Conn, error) {
	beside := path + ".lock"
	conn, err := sqlite.OpenConn(beside, sqlite.OpenReadWrite, sqlite.OpenCreate)
	if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	conn.SetBusyTimeout(0)
	err = sqlitex.ExecuteTransient(conn, "BEGIN EXCLUSIVE", nil)
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultBusy {
		err = fmt.Errorf("the database %s is in use by another server: stop that one, or give this one a file of its own", path)
	}
	if err == nil {
		err = os.Chmod(beside, 0o600)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// createFile makes the database's file, readable by its owner only, whatever
// the umask. SQLite gives the files it puts beside it the same mode. It must
// only be called under the lock: closing a file takes away all of the
// process's POSIX locks on it.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		err = errors.Join(f.Close(), syncDirectory(filepath.Dir(path)))
	} else if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return os.Chmod(path, 0o600)
}

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

// row is a row of a result; columns count from 0.
type row struct{ s *sqlite.Stmt }

func (r row) int(col int) int64      { return r.s.ColumnInt64(col) }
func (r row) bool(col int) bool      { return r.s.ColumnInt64(col) != 0 }
func (r row) text(col int) string    { return r.s.ColumnText(col) }
func (r row) time(col int) time.Time { return fromMillis(r.s.ColumnInt64(col)) }

func (r row) bytes(col int) []byte {
	b := make([]byte, r.s.ColumnLen(col))
	r.s.ColumnBytes(col, b)
	return b
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
