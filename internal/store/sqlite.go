package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Everything that is particular to SQLite is in sqlite.go and sqliteconn.go.

// sqliteEngine is one file, or nothing but memory.
type sqliteEngine struct {
	lock *sqlite.Conn // nil in memory
	path string
	redo *journal // nil in memory
}

// openSQLite locks and creates the files, and has the database take over what only
// the journal has; path "" is in memory.
func openSQLite(path string, journalBytes int64) (*sqliteEngine, error) {
	if path == "" {
		return &sqliteEngine{}, nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if file, err := filepath.EvalSymlinks(path); err == nil {
		path = file // what is beside a file is found, and locked, whatever link leads there
	}
	if err := createDirectory(path); err != nil {
		return nil, err
	}
	e := &sqliteEngine{path: path}
	if e.lock, err = lock(path); err != nil {
		return nil, err
	}
	if err := createFile(path); err != nil {
		return nil, errors.Join(err, e.lock.Close())
	}
	if e.redo, err = openJournal(path+".journal", journalBytes); err != nil {
		return nil, errors.Join(err, e.lock.Close())
	}
	if err := e.redo.recover(path); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *sqliteEngine) journal() *journal { return e.redo }

// pools gives the connection that writes and those that read. In memory that
// is one for everybody.
func (e *sqliteEngine) pools() (writer, readers *pool) {
	if e.path == "" {
		writer = newPool(1, func(context.Context) (conn, error) { return sqliteConn(connect("", common...)) })
		return writer, writer
	}
	writer = newPool(1, func(context.Context) (conn, error) {
		c, err := connectWriter(e.path)
		if err == nil {
			c.draft = &e.redo.draft
		}
		return sqliteConn(c, err)
	})
	readers = newPool(max(4, 2*runtime.GOMAXPROCS(0)), func(context.Context) (conn, error) { return sqliteConn(connectReader(e.path)) })
	return writer, readers
}

// sqliteConn keeps an error from becoming a connection that is not nil.
func sqliteConn(c *liteConn, err error) (conn, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

// sole is as the writer: the lock is there so that nobody else is.
func (e *sqliteEngine) sole(context.Context) (conn, error) {
	if e.path == "" {
		return nil, errors.New("memory: holds nothing that could be copied")
	}
	return sqliteConn(connectWriter(e.path))
}

// shared is never true: the lock is there so that nobody else writes.
func (e *sqliteEngine) shared() bool { return false }

func (e *sqliteEngine) close() error {
	if e.lock == nil {
		return nil
	}
	return errors.Join(e.redo.close(), e.lock.Close())
}

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

// Settings of every connection.
var common = []string{
	"PRAGMA page_size = 8192", // has a meaning for a new file only
	"PRAGMA temp_store = MEMORY",
}

// Settings of the connection that writes. A commit is durable when it returns,
// on macOS too, unless there is a journal that makes it so. SQLite would fold its log into the file by itself and keep
// to itself what went wrong, so that is done in fold.go.
var writing = []string{
	"PRAGMA synchronous = FULL",
	"PRAGMA fullfsync = ON",
	"PRAGMA checkpoint_fullfsync = ON",
	"PRAGMA cache_size = -65536", // KiB
	"PRAGMA secure_delete = ON",  // what is erased is overwritten
	"PRAGMA wal_autocheckpoint = 0",
	fmt.Sprint("PRAGMA journal_size_limit = ", logLimit),
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
func connect(path string, settings ...string) (*liteConn, error) {
	flags := sqlite.OpenReadWrite
	if path == "" {
		path, flags = ":memory:", flags|sqlite.OpenMemory
	}
	opened, err := sqlite.OpenConn(path, flags)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	c := &liteConn{Conn: opened, path: path, statements: map[string]*sqlite.Stmt{}}
	c.SetBusyTimeout(busy)
	for _, setting := range append(slices.Clone(settings), mapped()) {
		if err := sqlitex.ExecuteTransient(opened, setting, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("open the database %s: %s: %w", path, setting, err), c.close())
		}
	}
	return c, nil
}

// connectWriter opens the connection that writes to a file.
func connectWriter(path string) (*liteConn, error) {
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
		return nil, errors.Join(fmt.Errorf("open the database %s: %w", path, err), c.close())
	}
	return c, nil
}

// connectReader opens a connection that only reads a file.
func connectReader(path string) (*liteConn, error) {
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
