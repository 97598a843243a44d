package troupe

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"callboard/internal/live"
	"callboard/internal/stage"
)

// Options are what a Troupe is built from.
type Options struct {
	Register *stage.Register
	Secret   []byte            // the same in all processes
	URL      string            // where the others reach this process, without a slash at the end
	Settings map[string]string // what must be the same in all processes
	Log      *slog.Logger      // nil logs nothing
	Lease    time.Duration     // the register's; [stage.DefaultLease] by default
}

// Troupe is this process among those that run on the same facts. It is safe for
// concurrent use. It implements [stage.Floor] and [live.Others].
type Troupe struct {
	Options
	seal   *seal
	client *http.Client
	floor  *live.Floor
	doors  http.Handler
	cut    context.Context // ends when nothing may live on
	stop   context.CancelFunc
	news   chan struct{} // somebody was heard of who is not known
	work   sync.WaitGroup
	count  struct{ links, legs, passed atomic.Int64 }

	mu     sync.Mutex
	others map[string]*other // who is alive, by id
}

// other is another process.
type other struct {
	stage.Process
	stop context.CancelFunc // ends the link to it
}

var (
	_ stage.Floor = (*Troupe)(nil)
	_ live.Others = (*Troupe)(nil)
)

// New enlists this process. Use must be called before anything else, Run before
// anybody is let in.
func New(ctx context.Context, o Options) (*Troupe, error) {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	o.Lease = cmp.Or(o.Lease, stage.DefaultLease)
	t := &Troupe{
		Options: o,
		seal:    newSeal(o.Secret),
		client:  newClient(),
		news:    make(chan struct{}, 1),
		others:  make(map[string]*other),
	}
	t.cut, t.stop = context.WithCancel(context.Background())
	return t, t.enlist(ctx)
}

func (t *Troupe) enlist(ctx context.Context) error {
	me, err := t.Register.Enlist(ctx, t.URL, t.prints())
	if err == nil {
		t.Log.Info("one of several servers", "process", me.ID, "peer_url", me.URL)
	}
	return err
}

// Use tells who is here, and which doors serve the requests of participants that others pass on.
func (t *Troupe) Use(floor *live.Floor, doors http.Handler) { t.floor, t.doors = floor, doors }

// Run keeps this process among the living until ctx ends, then takes it off the
// list. Nobody may be on the floor any more by then.
func (t *Troupe) Run(ctx context.Context) {
	tick := time.NewTicker(t.Lease / 3)
	defer tick.Stop()
	for {
		t.renew(ctx)
		select {
		case <-ctx.Done():
			t.Close()
			return
		case <-tick.C:
		case <-t.news:
		}
	}
}

// Close takes this process off the list and ends what is between it and the
// others. It is for who never calls Run, which does the same at its end.
func (t *Troupe) Close() {
	if t.cut.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := t.Register.Resign(ctx); err != nil {
		t.Log.Warn("this process could not be taken off the list", "error", err)
	}
	t.stop()
	t.work.Wait()
	t.client.CloseIdleConnections()
}

// renew says that this process is alive and takes notice of who else is.
func (t *Troupe) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, t.Lease/2)
	defer cancel()
	alive, err := t.Register.Renew(ctx)
	if errors.Is(err, stage.ErrNotHeld) {
		t.Log.Warn("this process was silent for so long that the others took it for dead; everybody here has to join anew", "process", t.Register.Process())
		err = errors.Join(t.floor.Forsake(ctx), t.enlist(ctx))
	}
	if err != nil {
		if ctx.Err() == nil || !errors.Is(err, context.Canceled) {
			t.Log.Error("this process could not say that it is alive", "error", err)
		}
		return
	}
	if alive != nil {
		t.meet(alive)
	}
}

// meet links up with the living and lets go of the dead.
func (t *Troupe) meet(alive []stage.Process) {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := maps.Clone(t.others)
	for _, p := range alive {
		delete(left, p.ID)
		if p.ID == t.Register.Process() {
			continue
		}
		if known := t.others[p.ID]; known != nil {
			known.Process = p
			continue
		}
		t.Log.Info("another server has come", "process", p.ID, "peer_url", p.URL)
		t.compare(p)
		ctx, stop := context.WithCancel(t.cut)
		t.others[p.ID] = &other{Process: p, stop: stop}
		t.work.Go(func() { t.follow(ctx, p) })
	}
	for id, o := range left {
		t.Log.Info("another server has gone", "process", id, "peer_url", o.URL)
		o.stop()
		delete(t.others, id)
	}
}

// heard is called with every process that proved to be one; an unknown one has just come.
func (t *Troupe) heard(from string) {
	if _, known := t.find(from); !known {
		select {
		case t.news <- struct{}{}:
		default:
		}
	}
}

// find gives a process that is alive, as far as is known here.
func (t *Troupe) find(id string) (stage.Process, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.others[id]
	if o == nil {
		return stage.Process{}, false
	}
	return o.Process, true
}

// Stats says how much there is between this process and the others.
type Stats struct {
	Processes int    // alive, this one included
	Links     int    // to other processes, by which their people are known here
	Legs      int    // subscriptions of participants here that other processes serve
	Passed    uint64 // requests passed on to other processes
}

// Stats counts.
func (t *Troupe) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Stats{
		Processes: 1 + len(t.others),
		Links:     int(t.count.links.Load()),
		Legs:      int(t.count.legs.Load()),
		Passed:    uint64(t.count.passed.Load()),
	}
}
