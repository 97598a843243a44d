package proof

import (
	"fmt"
	"math"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"callboard/internal/stage"
)

func init() {
	if os.Getenv(houseOf) != "" {
		signal.Ignore(syscall.SIGXFSZ) // so that a write beyond the limit is an error
	}
}

// full lets a process write to files only up to a size, as if then the disk were full.
func (x *process) full(t *testing.T, size uint64) {
	t.Helper()
	err := unix.Prlimit(x.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

// guests are those whose coming was acknowledged.
type guests struct {
	t       *testing.T
	house   *process
	stage   stage.ARN
	session string
	come    map[string]bool
	next    int
}

// join has one more come, and tells whether that was stored.
func (g *guests) join() bool {
	g.t.Helper()
	name := fmt.Sprint("p", g.next)
	g.next++
	a := g.house.do(g.t.Context(), ask{Verb: "join", Stage: g.stage, Person: name, User: "u"})
	if a.Outcome == done {
		g.session, g.come[name] = a.Entry.SessionID, true
	}
	return a.Outcome == done
}

// see looks for all of them, in the database and on the roll.
func (g *guests) see() {
	g.t.Helper()
	for _, stored := range []bool{true, false} {
		a := g.house.do(g.t.Context(), ask{Verb: "people", Stage: g.stage, Session: g.session, Stored: stored, Limit: math.MaxInt32})
		found := 0
		for _, p := range a.People {
			if g.come[p.ID] {
				found++
			}
		}
		if a.Outcome != done || found != len(g.come) {
			g.t.Fatalf("%d of %d are seen (stored: %v; %s)", found, len(g.come), stored, a.Text)
		}
	}
}

func TestAFullDiskKeepsNobodyFromReadingAndIsForgottenOnceThereIsRoom(t *testing.T) {
	t.Parallel()
	data := premises{Data: t.TempDir() + "/facts.db"}
	house, err := startProcess(data)
	if err != nil {
		t.Fatal(err)
	}
	if !house.opened() {
		t.Fatal("the house did not open")
	}
	g := &guests{t: t, house: house, come: map[string]bool{}}
	g.stage = house.do(t.Context(), ask{Verb: "create"}).Stage
	for _, room := range []uint64{300 << 10, 0, 64 << 10, 600 << 10} { // the journal has 256 KiB at first
		g.join()
		house.full(t, room)
		for range 20_000 {
			if !g.join() {
				break
			}
		}
		if g.join() {
			t.Fatalf("with room for %d bytes all was stored", room)
		}
		for range 3 {
			g.see()
			g.join()
		}
		house.full(t, unix.RLIM_INFINITY)
		for !g.join() {
		}
		g.see()
	}
	house.full(t, 500<<10)
	for range 20_000 {
		if !g.join() {
			break
		}
	}
	g.see()
	house.kill()
	if g.house, err = startProcess(data); err != nil {
		t.Fatal(err)
	}
	g.see()
	if a := g.house.do(t.Context(), ask{Verb: "audit"}); a.Outcome != done {
		t.Error(a.Text)
	}
	t.Logf("%d came of %d", len(g.come), g.next)
	if err := g.house.leave(); err != nil {
		t.Error(err)
	}
}
