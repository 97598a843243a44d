package stage

import (
	"context"
	"errors"
	"iter"
)

// feedBatch is how many events a reader of the feed takes in one view.
const feedBatch = 500

// ErrFeedBehind is what a reader of the feed gets whose position is not one of
// this feed's: everything was forgotten meanwhile, or what comes after the
// position is no longer kept. It must begin anew.
var ErrFeedBehind = errors.New("the feed does not reach back to this position")

// Latest gives the position of the last event of the feed, 0 if there is none,
// and a channel that is closed as soon as that is no longer so.
func (s *Service) Latest() (no int64, later <-chan struct{}) { return s.store.Latest() }

// Feed gives all events of all stages after a position, in the order of their
// numbers and without a gap, and then each new one as soon as it is durable.
// It ends when ctx does, without an error; any other error is the last thing
// it gives, [ErrFeedBehind] among them. Readers do not know of each other, and a
// slow one holds nobody up.
func (s *Service) Feed(ctx context.Context, after int64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for ctx.Err() == nil {
			last, later := s.store.Latest()
			if last == after {
				select {
				case <-ctx.Done():
				case <-later:
				}
				continue
			}
			list, err := s.feedAfter(ctx, after)
			if err == nil && (len(list) == 0 || list[0].No != after+1) {
				err = ErrFeedBehind
			}
			if err != nil {
				if ctx.Err() == nil {
					yield(Event{}, err)
				}
				return
			}
			for _, e := range list {
				if !yield(e, nil) {
					return
				}
			}
			after = list[len(list)-1].No
		}
	}
}

func (s *Service) feedAfter(ctx context.Context, after int64) (list []Event, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		oldest, err := tx.Oldest()
		if err == nil && after < oldest {
			err = ErrFeedBehind
		}
		if err == nil {
			list, err = tx.Feed(after, feedBatch)
		}
		return err
	})
	return list, err
}

// Oldest is the position at which a new reader of the feed can begin: all
// that happened after it is there. It grows when history is removed.
func (s *Service) Oldest(ctx context.Context) (no int64, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		no, err = tx.Oldest()
		return err
	})
	return no, err
}
