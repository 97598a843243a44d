package proof

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"callboard/internal/store/storetest"
)

// houseOf is the environment variable that makes this test binary a house that
// answers questions on its standard input.
const houseOf = "CALLBOARD_PROOF_HOUSE"

func TestMain(m *testing.M) {
	if text := os.Getenv(houseOf); text != "" {
		if err := keepHouse(text); err != nil {
			os.Stderr.WriteString("house: " + err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	storetest.StopPostgres()
	os.Exit(code)
}

// keepHouse answers until the questions end.
func keepHouse(text string) error {
	var p premises
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	ctx := context.Background()
	h, err := openHouse(ctx, p)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	in, out := gob.NewDecoder(os.Stdin), gob.NewEncoder(os.Stdout)
	say := func(a answer) error {
		mu.Lock()
		defer mu.Unlock()
		return out.Encode(a)
	}
	if err := say(answer{}); err != nil { // it is open
		return err
	}
	over := make(chan struct{})
	var asked sync.WaitGroup
	asked.Go(func() { h.live(ctx, over) })
	for {
		var q ask
		if err := in.Decode(&q); errors.Is(err, io.EOF) {
			close(over)
			asked.Wait()
			return h.store.Close()
		} else if err != nil {
			return err
		}
		asked.Go(func() { say(h.do(ctx, q)) })
	}
}

// live says now and then that the house is alive.
func (h *house) live(ctx context.Context, over <-chan struct{}) {
	for beat := time.NewTicker(lease / 4); ; {
		select {
		case <-over:
			beat.Stop()
			return
		case <-beat.C:
			if err := h.renew(ctx); err != nil {
				os.Stderr.WriteString("house: " + err.Error() + "\n")
			}
		}
	}
}

// keeper is somebody who can be asked: a house here, or one in another process.
type keeper interface {
	do(ctx context.Context, q ask) answer
}

// process is a house that can be killed.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	ended chan struct{} // when all answers have been read

	mu      sync.Mutex
	out     *gob.Encoder
	waiting map[uint64]chan answer // nil when it has gone
	next    uint64
}

// startProcess starts a house; command may put a program before the binary. It
// does not wait until the house is open.
func startProcess(p premises, before ...string) (*process, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	words := append(before, os.Args[0], "-test.run=^$")
	x := &process{cmd: exec.Command(words[0], words[1:]...), ended: make(chan struct{}), waiting: map[uint64]chan answer{}}
	x.cmd.Env = append(os.Environ(), houseOf+"="+string(text))
	x.cmd.Stderr = os.Stderr
	out, err := x.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if x.in, err = x.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	x.out = gob.NewEncoder(x.in)
	opened := make(chan answer, 1)
	x.waiting[0] = opened
	if err := x.cmd.Start(); err != nil {
		return nil, err
	}
	go x.listen(out)
	return x, nil
}

// listen hands out answers until the process has gone; whoever waits then is
// told that his answer is lost.
func (x *process) listen(out io.Reader) {
	defer close(x.ended)
	in := gob.NewDecoder(out)
	for {
		var a answer
		if err := in.Decode(&a); err != nil {
			break
		}
		x.mu.Lock()
		waiting := x.waiting[a.ID]
		delete(x.waiting, a.ID)
		x.mu.Unlock()
		waiting <- a
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, waiting := range x.waiting {
		if id > 0 {
			waiting <- answer{Outcome: lost, Text: "the process has gone"}
		}
	}
	x.waiting = nil
}

// opened waits until the house is open; false if it went before.
func (x *process) opened() bool {
	x.mu.Lock()
	first := x.waiting[0]
	x.mu.Unlock()
	if first == nil {
		return true
	}
	select {
	case <-first:
		return true
	case <-x.ended:
		return false
	}
}

func (x *process) do(_ context.Context, q ask) answer {
	reply := make(chan answer, 1)
	x.mu.Lock()
	if x.waiting == nil {
		x.mu.Unlock()
		return answer{Outcome: lost, Text: "the process had gone"}
	}
	x.next++
	q.ID = x.next
	x.waiting[q.ID] = reply
	x.out.Encode(q) // when it fails the process has gone, and the listener says so
	x.mu.Unlock()
	return <-reply
}

// kill ends the process at once, in the middle of whatever it does.
func (x *process) kill() {
	x.cmd.Process.Kill()
	<-x.ended
	x.cmd.Wait()
}

// leave has the process answer what it was asked, close its store and end.
func (x *process) leave() error {
	x.mu.Lock()
	x.in.Close()
	x.mu.Unlock()
	<-x.ended
	return x.cmd.Wait()
}
