package server

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"callboard/internal/audit"
	"callboard/internal/store"
)

// Verify opens the facts as a server would and holds all of them against each
// other. The error says that they could not be read, or are damaged, or that
// they contradict each other; the report has the contradictions. No server may
// write to them meanwhile.
func Verify(ctx context.Context, cfg Config) (report *audit.Report, err error) {
	path := cfg.Facts()
	if path == Memory {
		return nil, fmt.Errorf("data is %s: there is nothing to verify", Memory)
	}
	if !store.IsURL(path) {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("data %s has no database: %w", cfg.Data, err)
		}
	}
	s, err := store.Open(ctx, store.Options{Path: path, RollBytes: -1})
	if err != nil {
		return nil, fmt.Errorf("data %s cannot be opened: %w", store.Redacted(cfg.Data), err)
	}
	defer func() { err = cmp.Or(err, s.Close()) }()
	if err := s.Integrity(ctx); err != nil {
		return nil, err
	}
	report, err = audit.Everything(ctx, s)
	return report, cmp.Or(err, report.Err())
}
