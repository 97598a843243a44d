package store

import (
	"context"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Integrity has the engine examine its own structures: every page, every row
// and every entry of an index. It says nothing about what the facts mean.
func (s *Store) Integrity(ctx context.Context) error {
	c, err := s.readers.get(ctx)
	if err != nil {
		return err
	}
	defer s.readers.put(c)
	var wrong []error
	err = sqlitex.ExecuteTransient(c.Conn, "PRAGMA integrity_check", &sqlitex.ExecOptions{
		ResultFunc: func(s *sqlite.Stmt) error {
			if verdict := s.ColumnText(0); verdict != "ok" {
				wrong = append(wrong, errors.New(verdict))
			}
			return nil
		},
	})
	if err = errors.Join(append(wrong, err)...); err != nil {
		return fmt.Errorf("integrity check: %w", err)
	}
	return nil
}
