package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Server is a PostgreSQL server of the tests' own, on a Unix socket in a
// temporary directory, without any change to how it makes commits durable.
type Server struct {
	dir string
	bin string
	cmd *exec.Cmd
	log bytes.Buffer

	ended     chan error
	databases atomic.Int64
}

var common struct {
	mu     sync.Mutex
	server *Server
	err    error
}

// Postgres gives the URL of an empty database for this test, on a server that
// all tests of the process share; [StopPostgres] ends it. It skips the test
// where PostgreSQL is not installed, and fails it if CALLBOARD_E2E is all.
func Postgres(t testing.TB) string {
	t.Helper()
	bin := postgresPrograms(t)
	common.mu.Lock()
	defer common.mu.Unlock()
	if common.server == nil && common.err == nil {
		common.server, common.err = startServer(bin)
	}
	if common.err != nil {
		t.Fatal(common.err)
	}
	return common.server.Database(t)
}

// StopPostgres ends the server of [Postgres], if there is one. TestMain calls it.
func StopPostgres() {
	common.mu.Lock()
	defer common.mu.Unlock()
	if common.server != nil {
		common.server.remove()
		common.server = nil
	}
}

// OwnPostgres gives a server for this test alone, to be killed at will.
func OwnPostgres(t testing.TB) *Server {
	t.Helper()
	s, err := startServer(postgresPrograms(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	return s
}

// postgresPrograms finds the newest installed version.
func postgresPrograms(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil && len(found) == 0 {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			found = append(found, path)
		}
	}
	if len(found) == 0 || !canBeOwner {
		if os.Getenv("CALLBOARD_E2E") == "all" {
			t.Fatal("PostgreSQL (initdb) is not installed")
		}
		t.Skip("PostgreSQL (initdb) is not installed")
	}
	return filepath.Dir(slices.Max(found))
}

func startServer(bin string) (*Server, error) {
	dir, err := os.MkdirTemp("", "callboard-pg")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin}
	if err := errors.Join(giveAway(dir), s.initialize(), s.Start()); err != nil {
		s.remove()
		return nil, fmt.Errorf("PostgreSQL for the tests: %w", err)
	}
	return s, nil
}

func (s *Server) initialize() error {
	cmd := exec.Command(filepath.Join(s.bin, "initdb"), "-D", filepath.Join(s.dir, "data"),
		"-U", "callboard", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	cmd.Dir = s.dir
	asOwner(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// Start starts the server again after [Server.Kill]; it answers when Start returns.
func (s *Server) Start() error {
	s.cmd = exec.Command(filepath.Join(s.bin, "postgres"), "-D", filepath.Join(s.dir, "data"), "-k", s.dir,
		"-c", "listen_addresses=", "-c", "max_connections=300", "-c", "wal_level=minimal", "-c", "max_wal_senders=0")
	s.cmd.Dir = s.dir
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	asOwner(s.cmd)
	s.ended = make(chan error, 1)
	started := make(chan error)
	go s.run(started)
	if err := <-started; err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		conn, err := net.Dial("unix", filepath.Join(s.dir, ".s.PGSQL.5432"))
		if err == nil {
			conn.Close()
			if _, err = s.psql("SELECT 1"); err == nil {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it does not start: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() {
	s.cmd.Process.Signal(sigImmediate)
	<-s.ended
	s.ended <- nil
}

func (s *Server) remove() {
	if s.cmd != nil && s.cmd.Process != nil {
		s.Kill()
	}
	os.RemoveAll(s.dir)
}

// Database makes an empty database, which is dropped when the test has ended,
// and gives its URL.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	if _, err := s.psql("CREATE DATABASE " + name + " TEMPLATE template0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.psql("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)") })
	return fmt.Sprintf("postgres://callboard@/%s?host=%s", name, s.dir)
}

// psql runs one statement in the database postgres.
func (s *Server) psql(sql string) (string, error) {
	cmd := exec.Command(filepath.Join(s.bin, "psql"), "-X", "-q", "-t", "-A", "-h", s.dir, "-U", "callboard", "-d", "postgres", "-c", sql)
	cmd.Dir = s.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
