package proof

import (
	"bytes"
	"cmp"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"callboard/internal/stage"
)

// deed is one acknowledged act of a recorded run.
type deed struct {
	part   int // of the run, which is opened several times
	id     uint64
	line   lineOf
	effect effect
}

type lineOf struct{ session, person string }

// recording is a run under strace: what happened to the files, and who did
// what, each person's deeds in order.
type recording struct {
	root  string
	stage stage.ARN
	parts [][]step
	deeds map[string][]deed

	failing bool // the disk
}

// shortJournal is so short that it is begun anew many times in a run.
const shortJournal = 40 << 10

// record has some people come and go in a house under strace that is opened
// several times. fault, if not empty, is what strace makes fail.
func record(t *testing.T, rng *rand.Rand, parts, acts int, journal int64, fault string) *recording {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CALLBOARD_E2E") == "all" {
			t.Fatal("strace is missing")
		}
		t.Skip("strace is missing")
	}
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &recording{root: root, deeds: map[string][]deed{}, failing: fault != ""}
	for part := range parts {
		trace := filepath.Join(t.TempDir(), "trace")
		command := []string{"strace", "-f", "-y", "-xx", "-s", "100000", "-e", "signal=none", "-e", "trace=" + calls, "-o", trace}
		if r.failing {
			command = append(command, "-e", "inject="+fault)
		}
		p, err := startProcess(premises{Data: filepath.Join(root, "data", "facts.db"), JournalBytes: journal}, command...)
		if err != nil {
			t.Fatal(err)
		}
		if !p.opened() && r.failing {
			return r
		}
		if !p.opened() {
			t.Skip("strace may not trace here")
		}
		if part == 0 {
			r.stage = p.do(t.Context(), ask{Verb: "create"}).Stage
		}
		r.live(t, p, part, acts, rng)
		if err := p.leave(); err != nil && !r.failing {
			t.Fatal(err)
		}
		r.parts = append(r.parts, readTrace(t, trace, root))
	}
	return r
}

// live has people act at once, in one part of the run.
func (r *recording) live(t *testing.T, p *process, part, acts int, rng *rand.Rand) {
	var everybody sync.WaitGroup
	var mu sync.Mutex
	for i := range 6 {
		rng := rand.New(rand.NewPCG(rng.Uint64(), uint64(i)))
		everybody.Go(func() {
			name := fmt.Sprint("p", i)
			var entry stage.Entry
			now := state{}
			for range acts {
				q := ask{Verb: "join", Stage: r.stage, Person: name, User: users[i%len(users)]}
				did := arrival(&now, q.User)
				if now.connected {
					person := &person{line: &line{states: []state{now}}}
					did = effectOf(person.whim(rng))
					q.Verb, q.Entry, q.Facts = "record", entry, did.events
				}
				a := p.do(t.Context(), q)
				for r.failing && a.Outcome == lost && strings.Contains(a.Text, "nothing was stored") {
					a = p.do(t.Context(), q)
				}
				unknown := r.failing && a.Outcome == lost
				if r.failing { // whoever looks has SQLite commit, and then the journal is begun anew
					p.do(t.Context(), ask{Verb: "exists", Stage: r.stage})
				}
				if a.Outcome != done && !unknown {
					t.Errorf("%s of %s: %s", q.Verb, name, a.Text)
					return
				}
				if q.Verb == "join" {
					entry = a.Entry
				}
				did.alter(&now)
				mu.Lock()
				if unknown {
					a.ID = math.MaxUint64 // nobody answers that
				}
				r.deeds[name] = append(r.deeds[name], deed{part, a.ID, lineOf{entry.SessionID, name}, did})
				mu.Unlock()
				if unknown {
					return
				}
			}
			if now.connected { // the next part begins with it
				mu.Lock()
				defer mu.Unlock()
				r.deeds[name] = append(r.deeds[name], deed{part, 0, lineOf{entry.SessionID, name}, departure(&now)})
			}
		})
	}
	everybody.Wait()
}

// moment is where the power is cut: in a part, after some of its answers.
type moment struct {
	part     int
	answered map[uint64]bool
}

// expected gives, for each line, what events there may be after the cut: those
// of all acknowledged deeds, and perhaps those of the one after them.
func (r *recording) expected(m moment) map[lineOf][2][]stage.EventName {
	want := map[lineOf][2][]stage.EventName{}
	for _, deeds := range r.deeds {
		next := true
		lines := map[lineOf][2]*line{}
		for _, d := range deeds {
			certain := d.part < m.part || d.part == m.part && d.id > 0 && m.answered[d.id]
			if d.part > m.part || !certain && (!next || d.id == 0) {
				break
			}
			pair, ok := lines[d.line]
			if !ok {
				pair = [2]*line{{states: []state{{}}}, {states: []state{{}}}}
				lines[d.line] = pair
			}
			pair[1].change(0, 0, d.effect.events, d.effect.alter)
			if certain {
				pair[0].change(0, 0, d.effect.events, d.effect.alter)
			}
			next = certain
		}
		for name, pair := range lines {
			var both [2][]stage.EventName
			for i, l := range pair {
				both[i] = append(l.events, departure(l.last()).events...)
			}
			want[name] = both
		}
	}
	return want
}

// check opens what a cut has left and says what is wrong with it.
func (r *recording) check(dir string, m moment) (err error) {
	ctx := context.Background()
	h, err := openHouse(ctx, premises{Data: filepath.Join(dir, "data", "facts.db")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.store.Close()) }()
	for l, want := range r.expected(m) {
		a := h.do(ctx, ask{Verb: "events", Stage: r.stage, Session: l.session, Person: l.person, Limit: 10_000})
		var got []stage.EventName
		for _, e := range slices.Backward(a.Events) {
			got = append(got, e.Name)
		}
		if a.Outcome != done || !slices.Equal(got, want[0]) && !slices.Equal(got, want[1]) {
			return fmt.Errorf("%s in %s has %v, acknowledged are %v (%s)", l.person, l.session, got, want[0], a.Text)
		}
	}
	if a := h.do(ctx, ask{Verb: "audit"}); a.Outcome != done {
		return errors.New(a.Text)
	}
	return nil
}

// cuts cuts the power n times at random moments of the run and gives what was
// wrong. sync says which syncs the disk takes for serious.
func (r *recording) cuts(t *testing.T, rng *rand.Rand, n int, sync func(path string) bool) (wrong []error) {
	t.Helper()
	total := 0
	for _, steps := range r.parts {
		total += len(steps)
	}
	at := make([]int, n)
	for i := range at {
		if at[i] = rng.IntN(total + 1); i%4 == 0 { // the beginning, where files are made, more often
			at[i] = rng.IntN(min(total, 200))
		}
	}
	slices.Sort(at)
	d, no := newDisk(r.root), 0
	for part, steps := range r.parts {
		m := moment{part: part, answered: map[uint64]bool{}}
		var said bytes.Buffer
		told := gob.NewDecoder(&said)
		begun := no
		for i := 0; ; i++ {
			for len(at) > 0 && at[0] == no && (i < len(steps) || part == len(r.parts)-1) {
				at = at[1:]
				dir, err := os.MkdirTemp("", "powercut")
				if err != nil {
					t.Fatal(err)
				}
				d.cut(t, rng, dir)
				if err := r.check(dir, m); err != nil {
					wrong = append(wrong, fmt.Errorf("after step %d of part %d, with %d answers: %w", i, part, len(m.answered), err))
				}
				os.RemoveAll(dir)
			}
			if i == len(steps) {
				break
			}
			s := steps[i]
			switch {
			case s.kind == answers:
				said.Write(s.data)
				for said.Len() > 0 {
					var a answer
					if told.Decode(&a) != nil {
						break // the rest of it comes with the next write
					}
					m.answered[a.ID] = true
				}
			case s.kind == syncs && !sync(s.path):
			case s.kind == syncs:
				s.size += int64(begun)
				d.apply(no, s)
			default:
				d.apply(no, s)
			}
			no++
		}
	}
	return wrong
}

func TestNothingAcknowledgedIsLostWhenThePowerIsCut(t *testing.T) {
	t.Parallel()
	n, err := strconv.Atoi(cmp.Or(os.Getenv("CALLBOARD_PROOF_CUTS"), "80"))
	if err != nil {
		t.Fatalf("CALLBOARD_PROOF_CUTS: %v", err)
	}
	seed := seed(t)
	rng := rand.New(rand.NewPCG(seed, 4))
	r := record(t, rng, 3, 25, shortJournal, "")
	steps := 0
	for _, part := range r.parts {
		steps += len(part)
	}
	wrong := r.cuts(t, rng, n, func(string) bool { return true })
	for i, err := range wrong {
		if i < 5 {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	t.Logf("seed %d: %d cuts in a run of %d steps, %d of them with losses", seed, n, steps, len(wrong))
	for what, sync := range map[string]func(string) bool{
		"whose journal is not synced":         func(path string) bool { return !strings.HasSuffix(path, ".journal") },
		"whose log is not synced":             func(path string) bool { return !strings.HasSuffix(path, "-wal") },
		"whose directories are not synced":    func(path string) bool { return filepath.Ext(path) != "" },
		"that forgets where the directory is": func(path string) bool { return path != r.root },
		"that syncs nothing":                  func(string) bool { return false },
	} {
		if wrong := r.cuts(t, rng, 15, sync); len(wrong) == 0 {
			t.Errorf("seed %d: a disk %s loses nothing: this test cannot fail", seed, what)
		} else {
			t.Logf("a disk %s loses something in %d of 15 cuts", what, len(wrong))
		}
	}
}

// A disk that fails says so once: the next sync succeeds, and what the one before was
// about is lost, though it is there for whoever reads it before the power goes.
func TestNothingAcknowledgedIsLostToADiskThatFailsOnce(t *testing.T) {
	t.Parallel()
	seed := seed(t)
	rng := rand.New(rand.NewPCG(seed, 5))
	var r *recording
	failed := 0
	for range 20 { // which syncs fail is chance
		r = record(t, rng, 1, 60, 3*4096, "fsync:error=EIO:when=12+4") // the first ones of a thread are those of opening
		for _, s := range slices.Concat(r.parts...) {
			if s.kind == fails && strings.HasSuffix(s.path, "-wal") {
				failed++
			}
		}
		if failed > 0 {
			break
		}
	}
	if failed == 0 {
		t.Fatal("no sync of SQLite's log has failed")
	}
	wrong := r.cuts(t, rng, 60, func(string) bool { return true })
	for i, err := range wrong {
		if i < 5 {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	t.Logf("seed %d: %d syncs of the log failed in %d steps, %d of 60 cuts with losses", seed, failed, len(r.parts[0]), len(wrong))
}
