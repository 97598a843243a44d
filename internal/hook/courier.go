package hook

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"callboard/internal/stage"
)

// Options are what a [Courier] is made from.
type Options struct {
	Service *stage.Service
	Store   stage.Store
	Log     *slog.Logger // nil is silence

	// URLs are receivers of the operator's; Secrets sign what they get. They are
	// listed among the hooks of an account in a region.
	URLs            []string
	Secrets         []string
	Account, Region string
	// Networks are those that hooks made through the API may reach beside the internet.
	Networks []netip.Prefix

	Timeout time.Duration // of one attempt; 0 is 15 seconds
	// GiveUp is the age at which an event that is refused becomes a dead letter;
	// 0 is three days.
	GiveUp time.Duration

	Now       func() time.Time  // nil is time.Now
	Transport http.RoundTripper // of all hooks; nil is the network
}

// Defaults of Options.
const (
	DefaultTimeout = 15 * time.Second
	DefaultGiveUp  = 72 * time.Hour
)

// Courier looks after hooks and delivers to them. Its methods may be used by
// many goroutines at once.
type Courier struct {
	o       Options
	service *stage.Service
	store   stage.Store
	log     *slog.Logger
	guard   guard
	open    *http.Client // for the operator's hooks
	guarded *http.Client // for those of the API
	key     []byte       // of the ids of events
	self    string       // this process
	changed chan struct{}
	tally   tally

	mu     sync.Mutex
	rounds map[stage.ARN]*round // under way in this process
}

// Open makes a courier. It delivers while [Courier.Run] runs.
func Open(ctx context.Context, o Options) (*Courier, error) {
	o.Timeout, o.GiveUp = cmp.Or(o.Timeout, DefaultTimeout), cmp.Or(o.GiveUp, DefaultGiveUp)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	key, err := o.Service.Secret(ctx, "webhook-ids")
	if err != nil {
		return nil, err
	}
	c := &Courier{
		o: o, service: o.Service, store: o.Store, log: o.Log, guard: guard{o.Networks}, key: key,
		self: rand.Text(), changed: make(chan struct{}, 1), rounds: map[stage.ARN]*round{},
	}
	c.open, c.guarded = client(o.Transport), client(o.Transport)
	if o.Transport == nil {
		c.open, c.guarded = client(transport(nil)), client(transport(&c.guard))
	}
	return c, nil
}

// look is how often the courier looks for hooks that others have changed.
const look = time.Second

// Run delivers until ctx ends. Attempts that are under way then get a moment to
// finish; what they have come to is saved.
func (c *Courier) Run(ctx context.Context) error {
	defer c.stop()
	var until time.Time // of this process's turn
	for ctx.Err() == nil {
		err := c.tick(ctx, &until)
		if err != nil && ctx.Err() == nil && !errors.Is(err, errNoTurn) {
			c.log.Error("webhooks cannot be looked after", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-c.changed:
		case <-time.After(look):
		}
	}
	return nil
}

// wake has the courier look at once.
func (c *Courier) wake() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// tick makes the rounds under way those that should be.
func (c *Courier) tick(ctx context.Context, until *time.Time) error {
	list, err := c.all(ctx)
	if err == nil && len(list)+len(c.o.URLs) > 0 && time.Until(*until) < turnLength*2/3 {
		began := time.Now()
		if err = c.takeTurn(ctx); err == nil {
			*until = began.Add(turnLength)
		}
	}
	if err == nil && time.Now().Before(*until) && c.configure(ctx, list) {
		list, err = c.all(ctx)
	}
	if errors.Is(err, errNoTurn) || time.Now().After(*until) {
		list = nil // what is not known to be ours is left alone
	} else if err != nil {
		return err // the rounds go on while the turn lasts
	}
	c.reconcile(ctx, list)
	return err
}

// reconcile starts and stops rounds; those it stops have ended when it returns.
func (c *Courier) reconcile(ctx context.Context, list []served) {
	wanted := map[stage.ARN]Hook{}
	for _, one := range list {
		if !one.hook.Disabled {
			wanted[one.hook.ARN] = one.hook
		}
	}
	c.mu.Lock()
	var stopped []*round
	for arn, r := range c.rounds {
		if h, ok := wanted[arn]; !ok || h.version != r.hook.version || r.ended() {
			r.cancel()
			stopped = append(stopped, r)
			delete(c.rounds, arn)
		}
	}
	c.mu.Unlock()
	for _, r := range stopped {
		<-r.over
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for arn, h := range wanted {
		if c.rounds[arn] == nil {
			c.rounds[arn] = c.begin(ctx, h)
		}
	}
}

// stop ends all rounds and this process's turn.
func (c *Courier) stop() {
	c.mu.Lock()
	mine := len(c.rounds) > 0
	c.mu.Unlock()
	c.reconcile(context.Background(), nil)
	if !mine {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := c.leaveTurn(ctx); err != nil {
		c.log.Warn("another process takes over the webhooks later than it could", "error", err)
	}
}

// configure makes the hooks of the configuration those that are stored, and
// tells whether it had to change anything. Of several processes the one whose turn it
// is does that: with two that are configured otherwise, hooks would come and go.
func (c *Courier) configure(ctx context.Context, list []served) bool {
	changed := false
	missing := slices.Clone(c.o.URLs)
	for _, one := range list {
		h := one.hook
		if !h.Configured {
			continue
		}
		i := slices.Index(missing, h.URL)
		if i < 0 {
			changed = true
			err := c.inTurn(ctx, func(tx stage.Tx) error { return drop(tx, h.ARN) })
			if err == nil {
				err = c.remove(ctx, h.ARN)
			}
			c.must(err)
			continue
		}
		missing = slices.Delete(missing, i, i+1)
		if !slices.Equal(h.secrets, c.o.Secrets) || h.Disabled {
			changed = true
			h.secrets, h.Disabled, h.Reason = c.o.Secrets, false, ""
			c.must(c.inTurn(ctx, func(tx stage.Tx) error { return put(tx, &h) }))
		}
	}
	for _, address := range missing {
		changed = true
		from, _ := c.service.Latest()
		h := Hook{ARN: c.configuredARN(address), URL: address, Configured: true, secrets: c.o.Secrets}
		c.must(c.inTurn(ctx, func(tx stage.Tx) error {
			if _, err := tx.Document(h.ARN); !errors.Is(err, stage.ErrNoRow) {
				return err // another process was faster
			}
			return putNew(tx, &h, from)
		}))
	}
	return changed
}

func (c *Courier) must(err error) {
	if err != nil && !errors.Is(err, errNoTurn) {
		c.log.Error("a webhook of the configuration cannot be stored", "error", err)
	}
}

// configuredARN names a hook of the configuration by its URL, so that it keeps its cursor.
func (c *Courier) configuredARN(address string) stage.ARN {
	sum := sha256.Sum256([]byte(address))
	return stage.ARN{Region: c.o.Region, Account: c.o.Account, Type: typeHook, ID: "configured-" + hex.EncodeToString(sum[:8])}
}
