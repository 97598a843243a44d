package store

import (
	"strings"
	"testing"

	"callboard/internal/stage"
	"callboard/internal/store/storetest"
)

func TestStoreInPostgreSQL(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) stage.Store { return openAt(t, Options{Path: storetest.Postgres(t)}) })
}

func TestNoSecretOfAURLIsShown(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		"postgres://me:topsecret@db.example/board?sslpassword=topsecret",
		"postgresql://me@db.example/board?password=topsecret",
		"postgres://me:topsecret@[/board",
		"postgres://me:topsecret@db.example:port/board",
		"postgres://me:topsecret@db.example/board?sslmode=topsecret",
	} {
		if got := Redacted(data); strings.Contains(got, "topsecret") {
			t.Errorf("%s is shown as %s", data, got)
		}
		if strings.HasSuffix(data, "sslmode=topsecret") {
			continue // that is not where a secret is
		}
		if _, err := Open(t.Context(), Options{Path: data}); err != nil && strings.Contains(err.Error(), "topsecret") {
			t.Errorf("the error is %v", err)
		}
	}
	if got := Redacted("/var/lib/callboard"); got != "/var/lib/callboard" {
		t.Errorf("a directory is shown as %s", got)
	}
}

func FuzzTextComesBackFromPostgreSQL(f *testing.F) {
	for _, seed := range []string{"", "Zoë", "\x00", "a\x00b", "\xff", "\ue0cb", "\ue0cb00", "😀\xf0\x9f"} {
		f.Add(seed, seed+"0")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if got := pgRead(pgText(a)); got != a {
			t.Errorf("%q came back as %q", a, got)
		}
		if (pgText(a) == pgText(b)) != (a == b) {
			t.Errorf("%q and %q are %q and %q", a, b, pgText(a), pgText(b))
		}
		if strings.ContainsRune(pgText(a), 0) || strings.ToValidUTF8(pgText(a), "") != pgText(a) {
			t.Errorf("%q is sent as %q", a, pgText(a))
		}
	})
}
