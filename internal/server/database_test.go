package server_test

import (
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"callboard/internal/server"
	"callboard/internal/server/servertest"
	"callboard/internal/store/storetest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	storetest.StopPostgres()
	os.Exit(code)
}

// stagesOf gives what a server lists.
func stagesOf(t *testing.T, s *servertest.Server) (list struct{ Stages []map[string]any }) {
	t.Helper()
	if err := s.Call(t.Context(), "ListStages", struct{}{}, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestServersOnOneDatabaseKnowTheSameStages(t *testing.T) {
	t.Parallel()
	url, files := storetest.Postgres(t), t.TempDir()
	on := func(c *server.Config) { c.Data, c.Files = url, files }
	first := servertest.Start(t, on)
	second := servertest.Start(t, on)
	if _, err := first.CreateStage(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, b := stagesOf(t, first), stagesOf(t, second); len(a.Stages) != 1 || !reflect.DeepEqual(a, b) {
		t.Errorf("they list\n%v\n%v", a, b)
	}
}

func TestFactsMoveToADatabaseAndBack(t *testing.T) {
	t.Parallel()
	url, first, second := storetest.Postgres(t), filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "second")
	s := servertest.Start(t, func(c *server.Config) { c.Data = first })
	if _, err := s.CreateStage(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := stagesOf(t, s)
	s.Close()
	var lines []string
	for _, move := range [][2]string{{first, url}, {url, second}} {
		if err := server.Migrate(t.Context(), move[0], move[1], func(line string) { lines = append(lines, line) }); err != nil {
			t.Fatal(err)
		}
	}
	if told := strings.Join(lines, "\n"); !strings.Contains(told, "document: 1 of 1 rows") {
		t.Errorf("told was %s", told)
	}
	s = servertest.Start(t, func(c *server.Config) { c.Data = second })
	if got := stagesOf(t, s); len(got.Stages) != 1 || !reflect.DeepEqual(got, want) {
		t.Errorf("listed before %v, now %v", want, got)
	}
}

func TestAServerSaysThatItsDatabaseIsAwayAndComesBackWithIt(t *testing.T) {
	t.Parallel()
	database := storetest.OwnPostgres(t)
	s := servertest.Start(t, func(c *server.Config) { c.Data, c.Files = database.Database(t), t.TempDir() })
	ready := func() int {
		resp, err := s.Client.Get(s.URL() + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := ready(); got != http.StatusOK {
		t.Errorf("at first it answers %d", got)
	}
	database.Kill()
	if got := ready(); got != http.StatusServiceUnavailable {
		t.Errorf("without its database it answers %d", got)
	}
	if err := database.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ready() != http.StatusOK; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come back")
		}
	}
	if _, err := s.CreateStage(t.Context()); err != nil {
		t.Error(err)
	}
}
