package server

import (
	"testing"
	"time"

	"callboard/internal/stage"
)

func TestHistoryWaitsForAWebhookButNotForever(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	ago := func(d int) time.Time { return now.AddDate(0, 0, -d) }
	for _, one := range []struct {
		what          string
		waiting       time.Time
		ended, before time.Time
	}{
		{"the event is newer than what is removed", ago(1), ago(60), ago(60)},
		{"the event is older", ago(63), ago(60), ago(63).Add(-time.Hour)},
		{"the event is very old", ago(100), ago(60), ago(67)},
		{"nothing is removed anyhow", ago(100), time.Time{}, time.Time{}},
	} {
		got := spare(stage.Bygone{Ended: one.ended}, one.waiting)
		if !got.Ended.Equal(one.before) || !got.Deleted.IsZero() {
			t.Errorf("%s: removed is what ended before %v", one.what, got.Ended)
		}
	}
}

func TestALongTimeMayBeSaidInDays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"60d": 60 * 24 * time.Hour, "36h": 36 * time.Hour, "0d": 0, "1m": time.Minute} {
		cfg, err := Load(Sources{Flag: values(map[string]string{"history": text})})
		if ok := want >= time.Minute; (err == nil) != ok || ok && cfg.History != want {
			t.Errorf("%s is %v: %v", text, cfg.History, err)
		}
	}
}

func TestWebhooksOfTheConfigurationNeedASecret(t *testing.T) {
	t.Parallel()
	set := map[string]string{"webhooks": "https://example.com/a, https://example.com/b"}
	_, err := Load(Sources{Flag: values(set)})
	wantError(t, err, "webhook-secrets", "callboard webhooks secret")
	set["webhook-secrets"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	if cfg, err := Load(Sources{Flag: values(set)}); err != nil || len(cfg.Webhooks) != 2 || len(cfg.WebhookSecrets) != 1 {
		t.Errorf("%v, %v", cfg.Webhooks, err)
	}
}
