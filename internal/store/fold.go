package store

import (
	"context"
	"log/slog"

	"zombiezen.com/go/sqlite/sqlitex"
)

// SQLite's log is folded back into its file from time to time. If the committer
// does that, everybody waits for as many pages to be copied and synced; so it
// is done beside it, before it would be its turn. What the committer has added
// meanwhile stays in the log, which begins anew when all of it was folded: in
// a moment of less work, or by the commit that finds it too large.

// foldEvery is after how many updates.
const foldEvery = 1000

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
			err := sqlitex.ExecuteTransient(c.Conn, "PRAGMA wal_checkpoint(PASSIVE)", nil)
			if err != nil {
				log.Error("the database's log cannot be folded into the file", "error", err)
			}
		}
	}
}
