package sfu

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// logs lets the DTLS stack write to our log. Whatever it finds worth an error is caused by
// some peer, at any rate it likes; so all of it is for debugging only.
type logs struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (l logs) NewLogger(scope string) logging.LeveledLogger {
	return quiet{l.log.With("scope", scope)}
}

type quiet struct{ log *slog.Logger }

func (q quiet) Trace(string)              {}
func (q quiet) Tracef(string, ...any)     {}
func (q quiet) Debug(string)              {}
func (q quiet) Debugf(string, ...any)     {}
func (q quiet) Info(string)               {}
func (q quiet) Infof(string, ...any)      {}
func (q quiet) Warn(m string)             { q.log.Debug(m) }
func (q quiet) Warnf(m string, a ...any)  { q.format(m, a) }
func (q quiet) Error(m string)            { q.log.Debug(m) }
func (q quiet) Errorf(m string, a ...any) { q.format(m, a) }

func (q quiet) format(m string, args []any) {
	if q.log.Enabled(context.Background(), slog.LevelDebug) {
		q.log.Debug(fmt.Sprintf(m, args...))
	}
}
