package server

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callboard/internal/hook"
	"callboard/internal/stage"
)

// openHooks builds the courier; it delivers while the server runs.
func (s *Server) openHooks(ctx context.Context) (err error) {
	s.courier, err = hook.Open(ctx, hook.Options{
		Service: s.service, Store: s.store, Log: s.log, Now: s.clock.Now,
		URLs: s.cfg.Webhooks, Secrets: s.cfg.WebhookSecrets, Account: s.cfg.Account, Region: s.cfg.Region,
		Networks: s.cfg.WebhookNetworks, GiveUp: s.cfg.WebhookGiveUp,
	})
	return err
}

const (
	// historyEvery is how often is looked for history that is to be removed.
	historyEvery = 5 * time.Minute
	// deletedFor is how long the history of a deleted stage stays in the
	// database: so long readers of the feed may be behind without noticing.
	deletedFor = 24 * time.Hour
	// patienceForHooks is how much longer history stays for a webhook that has
	// not been told of it. Long before, events become dead letters.
	patienceForHooks = 7 * 24 * time.Hour
)

// keepHistory removes what is older than the setting until ctx ends.
func (s *Server) keepHistory(ctx context.Context) {
	tick := time.NewTicker(historyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.removeHistory(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("history cannot be removed", "error", err)
		}
	}
}

func (s *Server) removeHistory(ctx context.Context) error {
	waiting, behind, err := s.courier.Undelivered(ctx)
	if err != nil {
		return err
	}
	now := s.clock.Now()
	b := stage.Bygone{Deleted: now.Add(-deletedFor)}
	if s.cfg.History > 0 {
		b.Ended = now.Add(-s.cfg.History)
	}
	if behind {
		b = spare(b, waiting)
	}
	removed, err := s.service.RemoveHistory(ctx, b)
	if removed.Sessions > 0 || removed.Rows > 0 {
		s.log.Info("history removed", "sessions", removed.Sessions, "rows", removed.Rows)
	}
	return err
}

// spare leaves sessions alone that have events of a time or later which are
// still to be delivered. What is refused may come an hour after a session's
// end: the linger, and clocks.
func spare(b stage.Bygone, waiting time.Time) stage.Bygone {
	for _, before := range []*time.Time{&b.Ended, &b.Deleted} {
		if before.IsZero() {
			continue
		}
		if kept := waiting.Add(-time.Hour); kept.Before(*before) {
			*before = latest(kept, before.Add(-patienceForHooks))
		}
	}
	return b
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// checkHooks is the part of check that is about webhooks.
func (c *Config) checkHooks() error {
	if len(c.Webhooks) > 0 && len(c.WebhookSecrets) == 0 {
		return fmt.Errorf("webhooks needs webhook-secrets, with which requests are signed; \"callboard webhooks secret\" makes one")
	}
	return nil
}

// list is a setting of texts separated by commas, each of which ok accepts.
func list(name, usage, allowed string, most int, ok func(string) bool, field func(*Config) *[]string) Setting {
	return Setting{Name: name, Usage: usage, Allowed: allowed,
		set: func(c *Config, v string) bool {
			*field(c) = nil
			for part := range strings.SplitSeq(v, ",") {
				part = strings.TrimSpace(part)
				if !ok(part) || slices.Contains(*field(c), part) || len(*field(c)) == most {
					return false
				}
				*field(c) = append(*field(c), part)
			}
			return true
		},
		get: func(c *Config) string { return strings.Join(*field(c), ",") },
	}
}

func isWebhook(v string) bool { return hook.CheckURL(v) == nil }

func isWebhookSecret(v string) bool { return hook.CheckSecret(v) == nil }

// span is a setting of a long time, in days if it likes; 0 while it is not set.
func span(name, usage string, least time.Duration, field func(*Config) *time.Duration) Setting {
	return Setting{Name: name, Usage: usage, Allowed: "a time such as 60d or 36h, at least " + shortDuration(least),
		set: func(c *Config, v string) bool {
			d, err := parseSpan(v)
			*field(c) = d
			return err == nil && d >= least
		},
		get: func(c *Config) string {
			if *field(c) == 0 {
				return ""
			}
			return shortDuration(*field(c))
		},
	}
}

func parseSpan(v string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(v, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 15)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(v)
}

// deliveries collects what became of events on their way to webhooks.
type deliveries struct{ look func() map[string]hook.Stats }

var (
	attempted = prometheus.NewDesc("callboard_webhook_attempts_total", "Attempts to deliver an event.", []string{"webhook", "delivered"}, nil)
	givenUp   = prometheus.NewDesc("callboard_webhook_dead_letters_total", "Events that were given up.", []string{"webhook"}, nil)
	lagEvents = prometheus.NewDesc("callboard_webhook_lag_events", "Events of the feed since the last one before which all is delivered or given up.", []string{"webhook"}, nil)
	lagTime   = prometheus.NewDesc("callboard_webhook_lag_seconds", "Age of the oldest event that is still to be delivered.", []string{"webhook"}, nil)
)

func (deliveries) Describe(out chan<- *prometheus.Desc) {
	for _, about := range []*prometheus.Desc{attempted, givenUp, lagEvents, lagTime} {
		out <- about
	}
}

func (d deliveries) Collect(out chan<- prometheus.Metric) {
	for arn, s := range d.look() {
		out <- prometheus.MustNewConstMetric(attempted, prometheus.CounterValue, float64(s.Delivered), arn, "true")
		out <- prometheus.MustNewConstMetric(attempted, prometheus.CounterValue, float64(s.Failed), arn, "false")
		out <- prometheus.MustNewConstMetric(givenUp, prometheus.CounterValue, float64(s.Letters), arn)
		out <- prometheus.MustNewConstMetric(lagEvents, prometheus.GaugeValue, float64(s.Lag), arn)
		out <- prometheus.MustNewConstMetric(lagTime, prometheus.GaugeValue, s.LagTime.Seconds(), arn)
	}
}
