package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"callboard/internal/server"
	"callboard/internal/server/servertest"
	"callboard/internal/store/storetest"
)

// shows waits until a page of a server has a text in it.
func shows(t *testing.T, s *servertest.Server, path, want string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) { // between two looks
		status, body := get(t, s, s.URL()+path)
		if strings.Contains(body, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s answers %d without %q: %.3000s", path, status, want, body)
		}
	}
}

func TestServersOnOneDatabaseFindEachOtherAndPart(t *testing.T) {
	t.Parallel()
	database := storetest.OwnPostgres(t).Database(t)
	start := func() *servertest.Server {
		return servertest.Start(t, func(c *server.Config) { c.Data, c.Files = database, t.TempDir() })
	}
	a, b := start(), start()
	for _, s := range []*servertest.Server{a, b} {
		shows(t, s, "/metrics", "\ncallboard_processes 2\n")
		shows(t, s, "/metrics", "\ncallboard_process_links 1\n")
		shows(t, s, "/readyz", "ready")
	}
	arn, err := a.CreateStage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.CreateToken(t.Context(), arn, "somebody"); err != nil {
		t.Error(err)
	}
	b.Close()
	shows(t, a, "/metrics", "\ncallboard_processes 1\n")
}

func TestStrangersFindNoDoorForOtherServers(t *testing.T) {
	t.Parallel()
	several := servertest.Start(t, func(c *server.Config) { c.Data, c.Files = storetest.OwnPostgres(t).Database(t), t.TempDir() })
	alone := servertest.Start(t, nil)
	for _, s := range []*servertest.Server{several, alone} {
		for _, path := range []string{"/peer/people", "/peer/pass/whip/publish", "/peer/"} {
			if status, body := get(t, s, s.URL()+path); status != http.StatusForbidden {
				t.Errorf("%s answers %d %s", path, status, body)
			}
		}
	}
}

func TestThePeerURLIsDerivedFromTheListener(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ set, listening, want string }{
		{"", "127.0.0.1:7480", "http://127.0.0.1:7480"},
		{"", "10.0.0.5:80", "http://10.0.0.5:80"},
		{"https://a.internal:1/", "0.0.0.0:7480", "https://a.internal:1"},
		{"", "[::]:7480", fmt.Sprintf("http://%s:7480", server.OwnAddress())},
		{"", "0.0.0.0:7480", fmt.Sprintf("http://%s:7480", server.OwnAddress())},
	} {
		cfg := server.Config{PeerURL: c.set}
		if got := cfg.PeerURLOf(c.listening); got != c.want {
			t.Errorf("%+v gives %s", c, got)
		}
	}
}
