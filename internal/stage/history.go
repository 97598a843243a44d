package stage

import (
	"context"
	"errors"
	"time"
)

// Bygone says which history is to be removed: that of sessions that ended
// before a time. The zero time removes nothing.
type Bygone struct {
	Ended   time.Time // of any stage
	Deleted time.Time // of stages that were deleted
}

// Removed counts what [Service.RemoveHistory] has removed.
type Removed struct {
	Sessions int // that are no longer answered
	Rows     int // of these and of earlier ones
}

const (
	// sweepRows bounds what one transaction removes: a few milliseconds of work.
	sweepRows = 300
	// tellRows is after how many rows the log tells that the work goes on.
	tellRows = 100_000
)

// RemoveHistory removes sessions with their participants and events, and what
// is known of tokens that have expired. A session is gone for everybody at
// once; its rows follow in small steps, which a later call goes on with if this one is
// broken off. Live sessions stay, however old. The feed begins after the last
// event that was removed.
func (s *Service) RemoveHistory(ctx context.Context, b Bygone) (r Removed, err error) {
	if r.Sessions, err = s.expire(ctx, b); err != nil {
		return r, err
	}
	for told, n := 0, 1; n > 0; {
		err := s.store.Update(ctx, func(tx Tx) (err error) {
			n, err = tx.Sweep(sweepRows)
			return err
		})
		if err != nil {
			return r, err
		}
		if r.Rows += n; r.Rows-told >= tellRows {
			told = r.Rows
			s.log.Info("history is being removed", "sessions", r.Sessions, "rows", r.Rows)
		}
	}
	return r, nil
}

// expire removes the sessions themselves.
func (s *Service) expire(ctx context.Context, b Bygone) (n int, err error) {
	err = eachSession(ctx, s.store, func(tx Tx, page []Session) ([]Session, error) {
		var gone []Session
		for _, one := range page {
			old, err := b.has(tx, one)
			if err != nil {
				return nil, err
			}
			if old {
				gone = append(gone, one)
			}
		}
		return gone, nil
	}, func(gone []Session) error {
		return s.store.Update(ctx, func(tx Tx) error {
			for _, one := range gone {
				switch err := tx.Expire(one); {
				case err == nil:
					n++
				case !errors.Is(err, ErrNoRow): // somebody else was faster
					return err
				}
			}
			return nil
		})
	})
	return n, err
}

// has tells whether a session is to be removed.
func (b Bygone) has(tx Tx, s Session) (bool, error) {
	if s.Ended.IsZero() || !s.Ended.Before(b.Ended) && !s.Ended.Before(b.Deleted) {
		return false, nil
	}
	if s.Ended.Before(b.Ended) {
		return true, nil
	}
	_, err := tx.Document(s.Stage)
	if errors.Is(err, ErrNoRow) {
		return true, nil
	}
	return false, err
}

// eachSession shows pick all sessions, page by page, and then act those that it picked.
func eachSession(ctx context.Context, store Store, pick func(Tx, []Session) ([]Session, error), act func([]Session) error) error {
	for after, n := int64(0), sweepBatch; n == sweepBatch; {
		var picked []Session
		err := store.View(ctx, func(tx Tx) error {
			page, err := tx.Sessions(SessionQuery{All: true, After: after, Limit: sweepBatch})
			if n = len(page); err != nil || n == 0 {
				return err
			}
			after = page[n-1].No
			picked, err = pick(tx, page)
			return err
		})
		if err != nil {
			return err
		}
		if len(picked) > 0 {
			if err := act(picked); err != nil {
				return err
			}
		}
	}
	return nil
}
