package proof

import (
	"cmp"
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
	homes  int               // how many of them people come to; 0 is all
	server *storetest.Server // of the database, if it is one that may be killed

	here   *house
	apiece []*process
}

func (e *estate) open() ([]*post, error) {
	if !e.apart {
		h, err := openHouse(context.Background(), e.premises)
		e.here = h
		return []*post{{keeper: h}}, err
	}
	e.apiece = make([]*process, e.number)
	posts := make([]*post, e.number)
	for i := range posts {
		p, err := e.openOne(i)
		if err != nil {
			return nil, err
		}
		posts[i] = p
	}
	return posts, nil
}

// openOne opens the house of one place, in a process.
func (e *estate) openOne(i int) (*post, error) {
	p, err := startProcess(e.premises)
	if err != nil {
		return nil, err
	}
	if e.apiece[i] = p; !p.opened() {
		return nil, errors.New("the house was not opened")
	}
	return &post{keeper: p}, nil
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
	posts, err := e.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.end(false); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	x := &trial{crowd: &crowd{t: t, posts: posts, homes: cmp.Or(e.homes, e.number)}, estate: e, seed: seed, rng: rand.New(rand.NewPCG(seed, 1))}
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
					x.ask(rng.IntN(x.homes), ask{Verb: "sweep"})
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
	everybody := x.bustle(stop, round)
	x.await(n)
	by := int64(0)
	switch how {
	case "":
		close(stop)
		everybody.Wait()
		by = x.tick()
	case "fall": // of one house among several, which go on
		x.fall(n)
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
		fallen := x.posts
		x.reopen(how == "kill")
		for _, at := range fallen {
			at.by, at.buried = by, x.tick()
			at.fell.Store(by)
		}
		x.ruin.Store(false)
	}
	x.resolve(by)
	x.judge(since, "of a round")
	x.confirm(since)
	x.judge(since, "afterwards")
}

// await waits until about n acts more are done.
func (x *trial) await(n int) {
	enough := x.acts.Load() + int64(n)
	for deadline := time.Now().Add(time.Minute); x.acts.Load() < enough; time.Sleep(200 * time.Microsecond) {
		if time.Now().After(deadline) {
			x.t.Errorf("%d acts are not done in a minute", n)
			return
		}
	}
}

// fall kills one of several houses, and opens another one in its place, while
// people act and walk at all of them.
func (x *trial) fall(n int) {
	x.t.Helper()
	i := x.rng.IntN(len(x.posts))
	old := x.posts[i]
	old.fell.Store(x.tick())
	x.estate.apiece[i].kill()
	by := x.tick()
	x.await(n / 2)
	x.later(i)
	x.ask(i+1, ask{Verb: "sweep"})
	x.mu.Lock()
	old.by, old.buried = by, x.tick()
	x.mu.Unlock()
	fresh, err := x.estate.openOne(i)
	if err != nil {
		x.t.Fatal(err)
	}
	x.mu.Lock()
	x.posts[i] = fresh
	x.mu.Unlock()
	x.kills++
	x.await(n / 2)
}

// later lets the lease of a post that fell run out, and nobody else's.
func (x *trial) later(fell int) {
	for range 2 {
		for i := range x.posts {
			if i != fell {
				x.ask(i, ask{Verb: "later"})
			}
		}
		x.estate.Ahead += leap
	}
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
	if x.estate.Among {
		x.estate.Ahead += 3 * lease // nobody is taken for alive
	}
	posts, err := x.estate.open()
	if err != nil {
		x.t.Fatalf("the house cannot be opened again: %v", err)
	}
	x.mu.Lock()
	x.posts = posts
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
