package proof

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"callboard/internal/store/storetest"
)

// estate is where houses stand: what they are opened on, here or in processes.
type estate struct {
	premises
	apart  bool              // in processes of their own
	number int               // of houses on one database
	server *storetest.Server // of the database, if it is one that may be killed

	here   *house
	apiece []*process
}

func (e *estate) open() ([]keeper, error) {
	if !e.apart {
		h, err := openHouse(context.Background(), e.premises)
		e.here = h
		return []keeper{h}, err
	}
	var keepers []keeper
	e.apiece = nil
	for range e.number {
		p, err := startProcess(e.premises)
		if err != nil {
			return nil, err
		}
		e.apiece = append(e.apiece, p)
		if keepers = append(keepers, p); !p.opened() {
			return nil, errors.New("the house was not opened")
		}
	}
	return keepers, nil
}

// end closes the houses, or kills them.
func (e *estate) end(kill bool) error {
	if !e.apart {
		return e.here.store.Close()
	}
	var errs []error
	for _, p := range e.apiece {
		if kill {
			p.kill()
		} else {
			errs = append(errs, p.leave())
		}
	}
	return errors.Join(errs...)
}

// trial is a run of rounds on one database.
type trial struct {
	*crowd
	estate *estate
	rng    *rand.Rand
	seed   uint64
	kills  int
}

func seed(t testing.TB) uint64 {
	if n, err := strconv.ParseUint(os.Getenv("CALLBOARD_PROOF_SEED"), 10, 64); err == nil {
		return n
	}
	return rand.Uint64N(1 << 32)
}

// duration is for how long to try: a few seconds, or as the variable says.
func duration(t testing.TB, ordinary time.Duration) time.Duration {
	text := os.Getenv("CALLBOARD_PROOF")
	if text == "" {
		return ordinary
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("CALLBOARD_PROOF: %v", err)
	}
	return d
}

func newTrial(t testing.TB, e *estate, seed uint64) *trial {
	t.Helper()
	keepers, err := e.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.end(false); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	x := &trial{crowd: &crowd{t: t, keepers: keepers}, estate: e, seed: seed, rng: rand.New(rand.NewPCG(seed, 1))}
	for _, size := range []int{1, 3, 10, 40} {
		x.establish(size)
	}
	return x
}

// bustle has everybody act and walk until stop.
func (x *trial) bustle(stop <-chan struct{}, round int) *sync.WaitGroup {
	everybody := new(sync.WaitGroup)
	for w := range 12 {
		rng := rand.New(rand.NewPCG(x.seed, uint64(100*round+w)))
		everybody.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if w < 8 {
					x.act(rng)
				} else {
					x.walk(rng)
				}
				if w == 0 && rng.IntN(20) == 0 {
					x.ask(rng.IntN(8), ask{Verb: "sweep"})
				}
			}
		})
	}
	return everybody
}

// round has about n acts done, ends or does not end the house, and judges.
func (x *trial) round(round, n int, how string) {
	x.t.Helper()
	since, stop := x.tick(), make(chan struct{})
	enough := x.acts.Load() + int64(n)
	everybody := x.bustle(stop, round)
	for deadline := time.Now().Add(time.Minute); x.acts.Load() < enough; time.Sleep(200 * time.Microsecond) {
		if time.Now().After(deadline) {
			x.t.Errorf("%d acts are not done in a minute", n)
			break
		}
	}
	by, opened := int64(0), int64(0)
	switch how {
	case "":
		close(stop)
		everybody.Wait()
		by = x.tick()
	case "crash": // of the database's server, under a house that stays
		x.ruin.Store(true)
		x.estate.server.Kill()
		close(stop)
		everybody.Wait()
		by = x.tick()
		if err := x.estate.server.Start(); err != nil {
			x.t.Fatal(err)
		}
		x.ruin.Store(false)
	default:
		x.ruin.Store(true)
		if err := x.estate.end(how == "kill"); err != nil {
			x.t.Fatalf("the house does not end: %v", err)
		}
		close(stop)
		everybody.Wait()
		by = x.tick()
		x.reopen(how == "kill")
		opened = x.tick()
		x.ruin.Store(false)
	}
	x.resolve(by, opened)
	x.judge(since, "of a round")
	x.confirm(since)
	x.judge(since, "afterwards")
}

func (x *trial) judge(since int64, when string) {
	x.t.Helper()
	if err := x.verdict(since); err != nil {
		x.t.Fatalf("answers %s, seed %d: %v", when, x.seed, err)
	}
}

// reopen opens the house again; one that was killed may be killed while it opens, too.
func (x *trial) reopen(kill bool) {
	x.t.Helper()
	for kill && x.rng.IntN(4) == 0 {
		p, err := startProcess(x.estate.premises)
		if err != nil {
			x.t.Fatal(err)
		}
		time.Sleep(time.Duration(x.rng.IntN(60)) * time.Millisecond)
		p.kill()
		x.kills++
	}
	keepers, err := x.estate.open()
	if err != nil {
		x.t.Fatalf("the house cannot be opened again: %v", err)
	}
	x.mu.Lock()
	x.keepers = keepers
	x.mu.Unlock()
}

func aFile(t *testing.T) string     { return filepath.Join(t.TempDir(), "facts.db") }
func aPostgres(t *testing.T) string { return storetest.Postgres(t) }

// rollBytes are room for all rolls, for a few and for none.
var rollBytes = []int64{0, 0, 40 << 10, -1}

func TestAllAnswersAreTrueInSomeOrderOfEvents(t *testing.T) {
	t.Parallel()
	for _, engine := range []struct {
		name string
		data func(*testing.T) string
		ends []string // how rounds may end
	}{
		{"memory", func(*testing.T) string { return "memory:" }, []string{""}},
		{"file", aFile, []string{"", "", "close"}},
		{"postgres", aPostgres, []string{"", "", "close"}},
	} {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			seed := seed(t)
			rng := rand.New(rand.NewPCG(seed, 2))
			acts, walks, rounds := int64(0), 0, 0
			for until := time.Now().Add(duration(t, 3*time.Second)); time.Now().Before(until) || rounds == 0; {
				e := &estate{premises: premises{
					Data: engine.data(t), RollBytes: rollBytes[rng.IntN(len(rollBytes))], Linger: time.Duration(rng.IntN(3)) * 4 * time.Millisecond,
				}, number: 1}
				x := newTrial(t, e, seed+uint64(rounds))
				for range 10 {
					x.round(rounds, 100+rng.IntN(300), engine.ends[rng.IntN(len(engine.ends))])
					if rounds++; time.Now().After(until) {
						break
					}
				}
				acts, walks = acts+x.acts.Load(), walks+x.walks
			}
			t.Logf("seed %d: %d acts and %d walks in %d rounds", seed, acts, walks, rounds)
		})
	}
}

func TestNothingAcknowledgedIsLostHoweverOftenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	for _, engine := range []struct {
		name  string
		data  func(*testing.T) string
		kills int // by default
	}{
		{"file", aFile, 25},
		{"postgres", aPostgres, 5},
	} {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			kills := engine.kills
			if text := os.Getenv("CALLBOARD_PROOF_KILLS"); text != "" {
				n, err := strconv.Atoi(text)
				if err != nil {
					t.Fatalf("CALLBOARD_PROOF_KILLS: %v", err)
				}
				kills = n
			}
			killAgainAndAgain(t, engine.data, kills)
		})
	}
}

func killAgainAndAgain(t *testing.T, data func(*testing.T) string, kills int) {
	seed := seed(t)
	rng := rand.New(rand.NewPCG(seed, 3))
	killed, acts, walks := 0, int64(0), 0
	for killed < kills {
		e := &estate{premises: premises{
			Data: data(t), RollBytes: rollBytes[rng.IntN(len(rollBytes))], Linger: time.Duration(rng.IntN(2)) * 4 * time.Millisecond,
		}, apart: true, number: 1}
		x := newTrial(t, e, seed+uint64(killed))
		for round := range 25 {
			x.round(round, rng.IntN(120), "kill")
			if x.kills++; killed+x.kills >= kills {
				break
			}
		}
		killed, acts, walks = killed+x.kills, acts+x.acts.Load(), walks+x.walks
	}
	t.Logf("seed %d: %d kills, %d acknowledged acts, none lost; %d walks", seed, killed, acts, walks)
}

func TestNothingAcknowledgedIsLostWhenPostgreSQLIsKilled(t *testing.T) {
	t.Parallel()
	server := storetest.OwnPostgres(t)
	seed := seed(t)
	e := &estate{premises: premises{Data: server.Database(t)}, number: 1, server: server}
	x := newTrial(t, e, seed)
	rounds := 0
	for until := time.Now().Add(duration(t, 3*time.Second)); time.Now().Before(until) || rounds < 3; rounds++ {
		x.round(rounds, 20+x.rng.IntN(60), "crash")
	}
	t.Logf("seed %d: PostgreSQL was killed %d times; %d acknowledged acts, none lost; %d walks", seed, rounds, x.acts.Load(), x.walks)
}
