package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"zombiezen.com/go/sqlite/sqlitex"
)

// SQLite's log is folded back into its file from time to time. If the committer
// does that, everybody waits for as many pages to be copied and synced; so it
// is done beside it, before it would be its turn. What the committer has added
// meanwhile stays in the log, which begins anew when all of it was folded: in
// a moment of less work, or by the committer when it finds it too large.
//
// A sync that fails is told once. The kernel then takes for written what never
// reached the disk, and the next sync succeeds; a log with such a hole, folded
// in part when the power goes, would leave pages of different times. So after
// any failure the log is in doubt: nothing is folded until it has been written
// once more, and synced, and the journal is not overwritten before.

const (
	// foldEvery is after how many updates.
	foldEvery = 1000
	// logLimit is how large the log is when the committer folds it. Only a reader
	// that stays makes it grow further.
	logLimit = 64 << 20
)

// count notes updates, and has the log folded when there are enough.
func (p *postings) count(updates int) {
	if p.counted += updates; p.counted < foldEvery {
		return
	}
	p.counted = 0
	select {
	case p.fold <- struct{}{}:
	default: // it is being done
	}
}

// fold folds the log whenever it is told to, until ctx ends.
func (s *Store) fold(ctx context.Context, e *sqliteEngine, log *slog.Logger) {
	c, err := connectWriter(e.path)
	if err != nil {
		log.Error("the database's log is folded by those who write", "error", err)
		return
	}
	defer c.close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.postings.fold:
			s.foldOnce(c, log)
		}
	}
}

func (s *Store) foldOnce(c *liteConn, log *slog.Logger) {
	if s.postings.doubt.Load() {
		return
	}
	err := sqlitex.ExecuteTransient(c.Conn, "PRAGMA wal_checkpoint(PASSIVE)", nil)
	if err != nil {
		s.postings.doubt.Store(true)
		s.queue.wake()
		log.Error("the database's log cannot be folded into the file", "error", err)
	}
}

// tooLong says that the log has reached its limit.
func (c *liteConn) tooLong() bool {
	info, err := os.Stat(c.path + "-wal")
	return err == nil && info.Size() > logLimit
}

// relog writes all of the log once more, as it is, so that the next sync is about
// all of it. Whoever calls it has the right to write: nobody else adds anything.
func (c *liteConn) relog() error {
	f, err := os.OpenFile(c.path+"-wal", os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	part := make([]byte, 64<<10)
	for at := int64(0); ; at += int64(len(part)) {
		n, err := f.ReadAt(part, at)
		if err != nil && err != io.EOF {
			return err
		}
		if _, failed := f.WriteAt(part[:n], at); failed != nil || err == io.EOF {
			return failed
		}
	}
}
