package stage

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"callboard/internal/token"
)

// Caller is who asks: the account and region that the request was signed for.
type Caller struct {
	Account string
	Region  string
	ARN     string // the principal, for messages
	Action  string // what he does, like "ivs:GetStage", for messages

	// Endpoints are the URLs under which this caller reaches the server, as
	// stages and tokens made for it say; the zero value means the server's own.
	Endpoints Endpoints
}

// Page asks for one page of a list. After is the position handed out with the
// page before, 0 for the first page. Limit is at least 1.
type Page struct {
	After int64
	Limit int
}

// Endpoints are the URLs under which clients reach this server.
type Endpoints struct {
	Events string // ws(s)://host/events
	WHIP   string // http(s)://host/whip
}

// Options are what a Service and a Register are built from.
type Options struct {
	Store     Store
	Endpoints Endpoints
	Linger    time.Duration // how long a session outlives its last participant; 0 ends it at once
	Quotas    Quotas
	Demanded  func(Demand)     // told of every demand for a resource, quickly; nil tells nobody
	Now       func() time.Time // the clock tokens are issued and judged by; nil is time.Now
	Rand      io.Reader        // every id is drawn from it, one at a time, but no secret; nil is crypto/rand
	Log       *slog.Logger     // nil is silence
	Lease     time.Duration    // see [Register.Enlist]; 0 is [DefaultLease]

	// Probe finds out whether recordings can be written to a bucket. An
	// [*Error] of kind NotFound or Denied is for the caller; anything else is
	// the server's trouble. It may take its time and is called outside of any
	// transaction. Nil believes that every bucket is there.
	Probe func(ctx context.Context, bucket string) error
}

// Service is the control plane: one method for each thing one can do. All
// methods are safe for concurrent use; errors for the caller are [*Error].
// Resources of another account are Denied; of another region, not found.
type Service struct {
	*lottery
	store     Store
	floor     Floor
	register  *Register // judges tokens that are to be explained
	endpoints Endpoints
	quotas    Quotas
	demanded  func(Demand)
	signer    signer
	known     *token.Known // tokens whose signatures hold, for the register
	now       func() time.Time
	log       *slog.Logger
	probe     func(ctx context.Context, bucket string) error
	walks     chan struct{} // one entry for each batch of a walk that is being read
}

// Open builds the service and the register on one store, creating the server's
// own signing keys on first use.
func Open(ctx context.Context, o Options) (*Service, *Register, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	s := &Service{
		lottery: &lottery{source: o.Rand}, store: o.Store, endpoints: o.Endpoints, quotas: o.Quotas,
		demanded: o.Demanded, known: new(token.Known), now: o.Now, log: o.Log, probe: o.Probe,
		walks: make(chan struct{}, walksAtOnce),
	}
	raw, err := s.secret(ctx, "token-key-1", func() ([]byte, error) {
		key, err := token.NewKey()
		if err != nil {
			return nil, err
		}
		return token.MarshalKey(key)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("token signing key: %w", err)
	}
	key, err := token.UnmarshalKey(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("token signing key: %w", err)
	}
	s.signer = signer{key: key, id: serverKeyID}
	r := &Register{
		lottery: s.lottery, store: o.Store, linger: o.Linger, serverKey: &key.PublicKey, known: s.known, now: o.Now,
		lease: cmp.Or(o.Lease, DefaultLease),
	}
	s.register = r
	return s, r, nil
}

// UseFloor tells the service whom to ask when people must go. It is called
// once, before the first request.
func (s *Service) UseFloor(f Floor) { s.floor = f }

// Secret gives 32 random bytes that are the same for this name for as long as
// the store lives; they key page tokens and the like.
func (s *Service) Secret(ctx context.Context, name string) ([]byte, error) {
	return s.secret(ctx, name, func() ([]byte, error) {
		b := make([]byte, 32)
		_, err := rand.Read(b)
		return b, err
	})
}

// secret reads a secret, making it first if the store has none.
func (s *Service) secret(ctx context.Context, name string, make func() ([]byte, error)) (value []byte, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		value, err = tx.Secret(name)
		return err
	})
	if !errors.Is(err, ErrNoRow) {
		return value, err
	}
	fresh, err := make()
	if err != nil {
		return nil, err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		value, err = tx.Secret(name)
		if !errors.Is(err, ErrNoRow) {
			return err
		}
		value = fresh
		return tx.PutSecret(name, fresh)
	})
	return value, err
}

// Quotas are the bounds this service was built with.
func (s *Service) Quotas() Quotas { return s.quotas }

// newARN names a new resource of the caller's.
func (s *Service) newARN(c Caller, typ string) ARN {
	return ARN{Region: c.Region, Account: c.Account, Type: typ, ID: s.randomID(12)}
}

// endpointsFor gives the URLs under which the caller reaches the server.
func (s *Service) endpointsFor(c Caller) Endpoints {
	if c.Endpoints != (Endpoints{}) {
		return c.Endpoints
	}
	return s.endpoints
}

// reach says whether the caller may name this ARN at all: resources of another
// account are out of bounds. A resource of another region is merely not there.
func (c Caller) reach(arn ARN) error {
	if arn.Account != c.Account {
		return fail(Denied, "User: %s is not authorized to perform: %s on resource: %s because no resource-based policy allows the %[2]s action", c.ARN, c.Action, arn)
	}
	return nil
}

// document reads a resource of the caller's own account and region.
func document(tx Tx, c Caller, arn ARN) (Document, error) {
	if err := c.reach(arn); err != nil {
		return Document{}, err
	}
	d, err := tx.Document(arn)
	if errors.Is(err, ErrNoRow) || err == nil && arn.Region != c.Region {
		return Document{}, fail(NotFound, "Resource %s does not exist in region %s", arn, c.Region)
	}
	return d, err
}

// exists is document for lists, where an unknown parent is no error.
func exists(tx Tx, c Caller, arn ARN) (bool, error) {
	_, err := document(tx, c, arn)
	if KindOf(err) == NotFound {
		return false, nil
	}
	return err == nil, err
}

// cut takes the row that was read beyond the limit off a page; next is the
// position of the last row kept, 0 when nothing follows.
func cut[T any](rows []T, limit int, position func(T) int64) ([]T, int64) {
	if len(rows) <= limit {
		return rows, 0
	}
	return rows[:limit], position(rows[limit-1])
}
