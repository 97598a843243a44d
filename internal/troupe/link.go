package troupe

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/coder/websocket"

	"callboard/internal/live"
	"callboard/internal/stage"
)

const (
	maxNews    = 256     // people in one frame
	maxTallies = 1024    // counts in one
	maxFrame   = 4 << 20 // bytes of one
	pingEvery  = 4 * time.Second
	writeLimit = 10 * time.Second
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
)

// frame is what a process announces of its people.
type frame struct {
	News []sighting `json:"news,omitempty"`
	// CaughtUp ends the first look: whoever was not in it is not there any more.
	CaughtUp bool `json:"caughtUp,omitempty"`
	// Tallies are how many legs the quotas count there, where that has changed.
	Tallies []live.Tally `json:"tallies,omitempty"`
}

// sighting is [live.Sighting] on the wire.
type sighting struct {
	Stage  string       `json:"stage"`
	ID     string       `json:"id"`
	Person *live.Person `json:"person,omitempty"`
}

// readFrame takes a frame apart and looks whether it makes sense.
func readFrame(data []byte) (frame, []live.Sighting, error) {
	var f frame
	if err := json.Unmarshal(data, &f); err != nil {
		return f, nil, fmt.Errorf("people of another server: %w", err)
	}
	news := make([]live.Sighting, 0, len(f.News))
	for _, s := range f.News {
		arn, err := stage.ParseARN(s.Stage)
		if err == nil && (s.ID == "" || s.Person != nil && s.Person.ID != s.ID) {
			err = fmt.Errorf("%.64q is nobody", s.ID)
		}
		if err != nil {
			return f, nil, fmt.Errorf("people of another server: %w", err)
		}
		news = append(news, live.Sighting{Stage: arn, ID: s.ID, Person: s.Person})
	}
	return f, news, nil
}

// announce tells another process about the people here, for as long as it listens.
func (t *Troupe) announce(ctx context.Context, conn *websocket.Conn) {
	var helper sync.WaitGroup
	defer helper.Wait()
	ctx, cancel := context.WithCancel(conn.CloseRead(ctx))
	defer cancel()
	helper.Go(func() { keepAlive(ctx, conn, pingEvery) })
	watch := t.floor.Watch()
	defer watch.Close()
	for caughtUp := false; ; {
		f := frame{Tallies: watch.Tallies(maxTallies)}
		for _, s := range watch.Take(maxNews) {
			f.News = append(f.News, sighting{s.Stage.String(), s.ID, s.Person})
		}
		if !caughtUp && len(f.News) < maxNews {
			f.CaughtUp, caughtUp = true, true
		}
		if len(f.News)+len(f.Tallies) > 0 || f.CaughtUp {
			if err := send(ctx, conn, f); err != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-watch.Changed():
		}
	}
}

func send(ctx context.Context, conn *websocket.Conn, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, data)
}

// person names somebody in a link's memory.
type person struct {
	stage stage.ARN
	id    string
}

// follow shows the people of another process here, until ctx ends because that
// process is no longer alive. A link that breaks is made again; its people stay meanwhile.
func (t *Troupe) follow(ctx context.Context, p stage.Process) {
	shown := make(map[person]bool) // true if seen by the present link
	defer func() {
		for who := range shown {
			t.floor.See(p.ID, live.Sighting{Stage: who.stage, ID: who.id})
		}
		t.floor.ForgetTallies(p.ID)
	}()
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, longPause) {
		began := time.Now()
		err := t.link(ctx, p, shown)
		if time.Since(began) > longPause {
			pause = firstPause
		}
		t.learn(ctx) // or it would be missed until the next renewal, though it has left in order
		if ctx.Err() == nil {
			t.Log.Warn("the people of another server cannot be heard of; is its peer-url right?", "process", p.ID, "peer_url", p.URL, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// link is one connection to another process, for as long as it lasts.
func (t *Troupe) link(ctx context.Context, p stage.Process, shown map[person]bool) error {
	conn, err := t.dial(ctx, p, "/peer/people")
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxFrame)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.work.Go(func() { keepAlive(ctx, conn, pingEvery) })
	t.count.links.Add(1)
	defer t.count.links.Add(-1)
	for who := range shown {
		shown[who] = false
	}
	t.floor.ForgetTallies(p.ID)
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		f, news, err := readFrame(data)
		if err != nil {
			return err
		}
		t.show(p.ID, shown, news)
		t.floor.Tell(p.ID, f.Tallies)
		if f.CaughtUp {
			t.hideUnseen(p.ID, shown)
		}
	}
}

func (t *Troupe) show(process string, shown map[person]bool, news []live.Sighting) {
	for _, s := range news {
		t.floor.See(process, s)
		if who := (person{s.Stage, s.ID}); s.Person == nil {
			delete(shown, who)
		} else {
			shown[who] = true
		}
	}
}

// hideUnseen hides those whom an earlier link showed and the present one did not.
func (t *Troupe) hideUnseen(process string, shown map[person]bool) {
	for who, seen := range shown {
		if !seen {
			t.floor.See(process, live.Sighting{Stage: who.stage, ID: who.id})
			delete(shown, who)
		}
	}
}
