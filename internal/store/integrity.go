package store

import (
	"context"
	"errors"
	"fmt"
)

// Integrity has SQLite examine its own structures: every page, every row and
// every entry of an index. It says nothing about what the facts mean, and
// nothing at all about PostgreSQL, which has tools of its own for that.
func (s *Store) Integrity(ctx context.Context) error {
	if s.engine.shared() {
		return nil
	}
	if err := s.posted(ctx); err != nil {
		return err
	}
	c, err := s.readers.get(ctx)
	if err != nil {
		return err
	}
	defer s.readers.put(c)
	var wrong []error
	_, err = c.rows("PRAGMA integrity_check", nil, 1000, func(r row) {
		if verdict := r.text(0); verdict != "ok" {
			wrong = append(wrong, errors.New(verdict))
		}
	})
	if err = errors.Join(append(wrong, err)...); err != nil {
		return fmt.Errorf("integrity check: %w", err)
	}
	return nil
}
