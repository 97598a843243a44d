package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"callboard/internal/stage"
	"callboard/internal/store"
)

// writesASecond is the load under which pages are measured.
const writesASecond = 2000

// writers write to a session as its participants would: of ten writes four are
// joins, four are people who leave or come back, one begins to publish, one is
// a change of a recording.
type writers struct {
	store   *store.Store
	stage   stage.ARN
	session string

	mu    sync.Mutex
	took  []time.Duration
	errs  []error
	began time.Time
	end   context.CancelFunc
	all   sync.WaitGroup
}

func (w *writers) start(ctx context.Context, rate int) {
	const callers = 64
	ctx, w.end = context.WithCancel(ctx)
	w.took, w.errs, w.began = nil, nil, time.Now()
	for i := range callers {
		w.all.Go(func() {
			pace := time.NewTicker(callers * time.Second / time.Duration(rate))
			defer pace.Stop()
			for n := i; ; n += callers {
				select {
				case <-pace.C:
					w.write(n)
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

func (w *writers) write(n int) {
	began := time.Now()
	err := w.store.Update(context.Background(), func(tx stage.Tx) error { return w.change(tx, began, n) })
	w.mu.Lock()
	defer w.mu.Unlock()
	w.took = append(w.took, time.Since(began))
	if err != nil {
		w.errs = append(w.errs, err)
	}
}

// change is one write, in one transaction.
func (w *writers) change(tx stage.Tx, began time.Time, n int) error {
	s, err := tx.Session(w.stage, w.session)
	if err != nil {
		return err
	}
	var p stage.Participant
	name := stage.Joined
	if k := n / 64 % 10; k < 4 {
		p = participant(s.No, int(s.NextSeq-1))
		p.ID = fmt.Sprintf("W%08x%06d", uint32(began.UnixNano()/1000), n%1_000_000)
		p.Connected, p.FirstJoin = true, tx.Now()
		if _, err := tx.Participant(s.No, p.ID); !errors.Is(err, stage.ErrNoRow) {
			return fmt.Errorf("%s is there: %w", p.ID, err)
		}
		s.NextSeq++
		s.Connected++
	} else {
		p, err = tx.Participant(s.No, fmt.Sprintf("P%011d", rand.IntN(1000)))
		if err != nil {
			return err
		}
		name = flip(&p, &s, k)
		p.Detail = nil
	}
	e := stage.Event{At: tx.Now(), Stage: w.stage, Session: s.No, Participant: p.ID, Name: name}
	return errors.Join(tx.AppendEvent(&e), tx.PutParticipant(&p), tx.PutSession(&s))
}

func flip(p *stage.Participant, s *stage.Session, k int) stage.EventName {
	switch {
	case k == 8:
		p.Published = !p.Published
		return stage.PublishStarted
	case k == 9:
		p.Recording = (p.Recording + 1) % 6
		return stage.PublishStopped
	case p.Connected:
		p.Connected = false
		s.Connected--
		return stage.Left
	}
	p.Connected = true
	s.Connected++
	return stage.Joined
}

// stop gives, as text, how many writes a second there were and the median and
// the 99th percentile of how long they took, in microseconds.
func (w *writers) stop() string {
	w.end()
	w.all.Wait()
	if len(w.took) == 0 || len(w.errs) > 0 {
		return fmt.Sprint("no writes: ", errors.Join(w.errs...))
	}
	slices.Sort(w.took)
	at := func(share int) int64 { return w.took[len(w.took)*share/100].Microseconds() }
	return fmt.Sprint(float64(len(w.took))/time.Since(w.began).Seconds(), at(50), at(99))
}
