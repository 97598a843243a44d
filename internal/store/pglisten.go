package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const pgChannel = "callboard"

const (
	pgNotify    = `SELECT pg_notify('` + pgChannel + `', $1)`
	pgCanNotify = `SELECT COUNT(*) FROM pg_proc WHERE proname = 'pg_notify'`

	// pgNamedParticipants reads participants by two lists, of their sessions and places.
	pgNamedParticipants = `SELECT p.seq, p.id, p.user_id, p.connected, p.published, p.recording, p.first_join, p.session
		FROM UNNEST(CAST($1 AS BIGINT[]), CAST($2 AS BIGINT[])) AS w (session, seq)
		JOIN participant p ON p.session = w.session AND p.seq = w.seq`
)

// pgListener hears what other processes announce.
type pgListener struct {
	pg    *pgconn.PgConn
	every time.Duration // how often to look without having heard anything
	heard []string      // processes
}

// listen opens a connection that listens. A database that has no
// notifications is looked at more often instead.
func (e *pgEngine) listen(ctx context.Context) (*pgListener, error) {
	l := &pgListener{every: lookEvery}
	config := e.config.Copy()
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) {
		process, _, _ := strings.Cut(n.Payload, " ")
		l.heard = append(l.heard, process)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	var err error
	if l.pg, err = pgconn.ConnectConfig(ctx, config); err != nil {
		return nil, err
	}
	_, err = l.pg.Exec(ctx, "LISTEN "+pgChannel).ReadAll()
	if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) && !l.pg.IsClosed() {
		l.every, err = lookEvery/10, nil
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// lastBatch reads the number of the last commit.
func (l *pgListener) lastBatch(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, staleAfter)
	defer cancel()
	result := l.pg.ExecParams(ctx, counterValue, [][]byte{[]byte("batch")}, nil, nil, nil).Read()
	if result.Err != nil {
		return 0, result.Err
	}
	if len(result.Rows) != 1 {
		return 0, errors.New("the database has no counter of batches")
	}
	return pgRow(result.Rows[0]).int(0), nil
}

// wait gives the process that announced something, "" at the end of the time.
func (l *pgListener) wait(ctx context.Context, until time.Time) (process string, err error) {
	for len(l.heard) == 0 {
		short, cancel := context.WithDeadline(ctx, until)
		err := l.pg.WaitForNotification(short)
		cancel()
		switch {
		case len(l.heard) > 0 || err == nil:
		case ctx.Err() != nil:
			return "", ctx.Err()
		case l.pg.IsClosed() || !time.Now().After(until):
			return "", err
		default:
			return "", nil
		}
	}
	process, l.heard = l.heard[0], l.heard[1:]
	return process, nil
}

func (l *pgListener) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.pg.Close(ctx)
}
