package store

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"callboard/internal/stage"
)

// crashPath is the environment variable that makes this test binary the writer
// that is to be killed.
const crashPath = "CALLBOARD_STORE_CRASH"

// writeUntilKilled has several callers write for ever; the number of each
// event is printed after it was acknowledged.
func writeUntilKilled(path string) {
	s, err := Open(context.Background(), Options{Path: path})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	acknowledged := make(chan int64, 1000)
	for range 16 {
		go func() {
			for {
				e := stage.Event{Stage: testStage, Session: 1, Participant: "p", Name: stage.Joined}
				err := s.Update(context.Background(), func(tx stage.Tx) error {
					e.At = tx.Now()
					if err := tx.AppendEvent(&e); err != nil {
						return err
					}
					return tx.PutParticipant(&stage.Participant{Session: 1, Seq: e.No, ID: fmt.Sprint(e.No), UserID: "u"})
				})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				acknowledged <- e.No
			}
		}()
	}
	for no := range acknowledged {
		fmt.Println(no) // one write each: what was printed survives the kill
	}
}

func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	t.Parallel()
	path := filePath(t)
	acknowledged := map[int64]bool{}
	for round := range 5 {
		killWriter(t, path, 200+300*round, acknowledged)
		checkAfterKill(t, path, acknowledged)
	}
	t.Logf("%d acknowledged, none lost", len(acknowledged))
}

// killWriter starts the writer, collects n numbers, kills it, and collects
// those it had still printed.
func killWriter(t *testing.T, path string, n int, acknowledged map[int64]bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crashPath+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := sync.OnceFunc(func() { cmd.Process.Kill() })
	defer cmd.Wait()
	defer kill()
	lines := bufio.NewReader(out)
	for i := 0; ; i++ {
		if i == n {
			kill()
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			if i < n {
				t.Fatalf("the writer ended after %d numbers: %v", i, err)
			}
			return
		}
		no, err := strconv.ParseInt(line[:len(line)-1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		acknowledged[no] = true
	}
}

func checkAfterKill(t *testing.T, path string, acknowledged map[int64]bool) {
	t.Helper()
	s := openAt(t, Options{Path: path})
	defer closeNow(t, s)
	err := s.View(t.Context(), func(tx stage.Tx) error {
		events, err := tx.Feed(0, 1<<30)
		if err != nil {
			return err
		}
		people, err := tx.Participants(stage.ParticipantQuery{Session: 1, Limit: 1 << 30})
		if err != nil {
			return err
		}
		if len(events) != len(people) {
			t.Errorf("%d events, but %d participants written with them", len(events), len(people))
		}
		for i, e := range events {
			if e.No != int64(i+1) {
				t.Fatalf("the feed has number %d at place %d", e.No, i+1)
			}
		}
		for no := range acknowledged {
			if no > int64(len(events)) {
				t.Fatalf("number %d was acknowledged, but the feed ends with %d", no, len(events))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !s.engine.shared() {
		checkIntegrity(t, s)
	}
}

func checkIntegrity(t *testing.T, s *Store) {
	t.Helper()
	conn, err := s.readers.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.readers.put(conn)
	verdict := ""
	err = sqlitex.ExecuteTransient(conn.(*liteConn).Conn, "PRAGMA integrity_check", &sqlitex.ExecOptions{
		ResultFunc: func(s *sqlite.Stmt) error { verdict += s.ColumnText(0); return nil },
	})
	if err != nil || verdict != "ok" {
		t.Errorf("integrity check: %s (%v)", verdict, err)
	}
}
