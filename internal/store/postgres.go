package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Everything that is particular to PostgreSQL is in the files that begin with pg and this one.

const (
	// dialTime is how long one attempt to reach the server may take.
	dialTime = 5 * time.Second
	// answerTime is how long a statement may take.
	answerTime = time.Minute
)

// pgSettings make every connection walk the indexes that the lists are made
// for, whatever the planner has heard of a table, and wait for nothing for
// ever. What a server does not know is left out.
const pgSettings = `SELECT set_config(s.name, v.value, false) FROM (VALUES
	('jit', 'off'), ('plan_cache_mode', 'force_generic_plan'),
	('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'), ('enable_sort', 'off'),
	('client_min_messages', 'error')) AS v (name, value)
	JOIN pg_settings s ON s.name = v.name`

// pgDurable makes a commit durable when it returns, whatever the server's settings say.
const pgDurable = `SELECT set_config(name, 'on', false) FROM pg_settings
	WHERE name = 'synchronous_commit' AND setting NOT IN ('on', 'remote_apply')`

// pgWriting takes the right to write away from a process that has stopped in the middle.
const pgWriting = `SELECT set_config(s.name, v.value, false) FROM (VALUES
	('lock_timeout', '20s'), ('statement_timeout', '60s'),
	('idle_in_transaction_session_timeout', '15s')) AS v (name, value)
	JOIN pg_settings s ON s.name = v.name`

const pgReading = `SELECT set_config(s.name, v.value, false) FROM (VALUES
	('default_transaction_read_only', 'on'), ('statement_timeout', '60s'),
	('idle_in_transaction_session_timeout', '120s')) AS v (name, value)
	JOIN pg_settings s ON s.name = v.name`

// pgEngine is a database of a PostgreSQL server.
type pgEngine struct {
	config *pgconn.Config
	log    *slog.Logger
}

// openPostgres reads the URL; nothing is dialled yet.
func openPostgres(o *Options) (*pgEngine, error) {
	config, err := pgconn.ParseConfig(o.Path)
	if err != nil {
		return nil, fmt.Errorf("%s is not the URL of a database: %w", Redacted(o.Path), withoutURL(err))
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "callboard"
	}
	config.ConnectTimeout = dialTime
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	dialer := net.Dialer{Timeout: dialTime, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3,
	}}
	config.DialFunc = dialer.DialContext
	return &pgEngine{config: config, log: o.Log}, nil
}

// Redacted is data as it may be logged: of a URL, what has no secret in it.
func Redacted(data string) string {
	if !IsURL(data) {
		return data
	}
	u, err := url.Parse(data)
	if err != nil {
		return "postgres://"
	}
	clean := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if u.User.Username() != "" {
		clean.User = url.User(u.User.Username())
	}
	return clean.String()
}

// withoutURL is what was wrong with a URL, without the URL.
func withoutURL(err error) error {
	if inner := (*url.Error)(nil); errors.As(err, &inner) {
		return inner.Err
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return errors.New("it cannot be read")
}

func (e *pgEngine) pools() (writer, readers *pool) {
	writer = newPool(1, e.lend(pgSettings, pgDurable, pgWriting))
	readers = newPool(max(8, 4*runtime.GOMAXPROCS(0)), e.lend(pgSettings, pgReading))
	return writer, readers
}

// lend gives connections that are made when they are used, and made anew after
// they were lost.
func (e *pgEngine) lend(settings ...string) func(context.Context) (conn, error) {
	return func(context.Context) (conn, error) {
		return &pgConn{dial: func(ctx context.Context) (*pgconn.PgConn, error) { return e.dial(ctx, settings) }}, nil
	}
}

func (e *pgEngine) dial(ctx context.Context, settings []string) (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	c, err := pgconn.ConnectConfig(ctx, e.config)
	if err != nil {
		return nil, fmt.Errorf("the database cannot be reached: %w", err)
	}
	for _, sql := range settings {
		if _, err := c.Exec(ctx, sql).ReadAll(); err != nil {
			return nil, errors.Join(fmt.Errorf("settings of a connection: %w", err), c.Close(ctx))
		}
	}
	return c, nil
}

// sole gives a connection without bounds. Others are known by the name of their
// application.
func (e *pgEngine) sole(ctx context.Context) (conn, error) {
	c := &pgConn{patient: true, dial: func(ctx context.Context) (*pgconn.PgConn, error) {
		return e.dial(ctx, []string{pgSettings, pgDurable})
	}}
	others, err := e.others(ctx, c)
	for until := time.Now().Add(departTime); err == nil && others > 0 && time.Now().Before(until); {
		pause(ctx, departTime/50)
		others, err = e.others(ctx, c)
	}
	if err == nil && others > 0 {
		err = fmt.Errorf("it is in use by other servers (%d connections): stop them first", others)
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// departTime is for how long PostgreSQL may still show a connection that was
// closed just now.
const departTime = 2 * time.Second

// others counts the connections of other servers.
func (e *pgEngine) others(ctx context.Context, c *pgConn) (n int64, err error) {
	if err := c.begin(ctx); err != nil {
		return 0, err
	}
	defer c.rollback()
	_, err = c.rows(pgOthers, []any{e.config.RuntimeParams["application_name"]}, 1, func(r row) { n = r.int(0) })
	return n, err
}

// journal is none: PostgreSQL has its own, which its commits are written to.
func (e *pgEngine) journal() *journal { return nil }

// shared is true: other processes may write to the same database.
func (e *pgEngine) shared() bool { return true }

func (e *pgEngine) close() error { return nil }

// rewrite is the operator's to decide: VACUUM FULL would lock everybody out.
func (e *pgEngine) rewrite(context.Context, conn) error { return nil }

// scrub leaves it to the server: VACUUM takes old rows away, its log is its own.
func (e *pgEngine) scrub(conn) (inUse bool, err error) { return false, nil }
