package desk

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"callboard/internal/sigv4"
)

// message is one that a viewer received.
type message struct {
	Event string          `json:"event"`
	ID    string          `json:"id"`
	Data  json.RawMessage `json:"data"`
}

// viewer is a client of a watch as a user would write it: it holds what it has been
// told.
type viewer struct {
	t       testing.TB
	resp    *http.Response
	stop    context.CancelFunc
	lines   *bufio.Reader
	roll    map[string]rollEntry
	id      string // of the last message that had one
	session string // that the roll is of
	heard   []string
	beats   bool // signs of life are messages, too
}

// serve puts the desk on a port.
func (w *world) serve() string {
	s := httptest.NewUnstartedServer(w.Desk)
	s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		c.(*net.TCPConn).SetWriteBuffer(4096) // so that it matters whether somebody reads
		return ctx
	}
	s.Start()
	w.t.Cleanup(func() {
		w.Desk.Close()
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// view opens a watch, after an id if it is not "".
func (w *world) view(t testing.TB, url, lastID string) *viewer {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	sigv4.Sign(r, nil, testKey, testRegion, "ivs", w.clock())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	v := &viewer{t: t, resp: resp, stop: stop, lines: bufio.NewReader(resp.Body), roll: map[string]rollEntry{}, id: lastID}
	t.Cleanup(v.close)
	return v
}

func (v *viewer) close() {
	v.stop()
	v.resp.Body.Close()
}

// next gives the next message; false at the end of the stream.
func (v *viewer) next() (message, bool) {
	var m message
	for {
		line, err := v.lines.ReadString('\n')
		if err != nil {
			return m, false
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "event":
			m.Event = value
		case "id":
			m.ID, v.id = value, value
		case "data":
			m.Data = json.RawMessage(value)
		case "":
			if m.Event == "" && m.ID != "" && v.beats {
				m.Event = heartbeat
			}
			if m.Event != "" {
				v.apply(m)
				return m, true
			}
			m = message{}
		}
	}
}

// until reads up to a message of this name and gives it.
func (v *viewer) until(name string) message {
	v.t.Helper()
	for {
		m, ok := v.next()
		if !ok {
			v.t.Fatalf("the stream ended before %s; heard were %v", name, v.heard)
		}
		if m.Event == name {
			return m
		}
	}
}

// apply does what the documentation tells a client to do.
func (v *viewer) apply(m message) {
	v.heard = append(v.heard, m.Event)
	switch m.Event {
	case snapshotPart:
		var part snapshotMessage
		v.read(m, &part)
		if part.Part == 1 {
			clear(v.roll)
			v.session = part.SessionID
		}
		for _, p := range part.Participants {
			v.roll[p.ParticipantID] = p
		}
	case sessionStarted:
		var s sessionMessage
		v.read(m, &s)
		clear(v.roll)
		v.session = s.SessionID
	case joined, left, published, unpublished, exchanged:
		var c changeMessage
		v.read(m, &c)
		if c.View == exited {
			delete(v.roll, c.Participant.ParticipantID)
		} else {
			v.roll[c.Participant.ParticipantID] = c.Participant
		}
	}
}

func (v *viewer) read(m message, into any) {
	if err := json.Unmarshal(m.Data, into); err != nil {
		v.t.Errorf("%s is %s: %v", m.Event, m.Data, err)
	}
}

// no is the number in the last id.
func (v *viewer) no() int64 {
	digits, _, _ := strings.Cut(v.id, "-")
	n, err := strconv.ParseInt(strings.TrimSuffix(digits, "e"), 10, 64)
	if err != nil {
		v.t.Errorf("the id %q has no number", v.id)
	}
	return n
}

// text is the roll as the viewer has it, the newest join first.
func (v *viewer) text() string {
	var list []rollEntry
	for _, p := range v.roll {
		list = append(list, p)
	}
	return rollText(list)
}

func rollText(list []rollEntry) string {
	slices.SortFunc(list, func(a, b rollEntry) int { return int(b.JoinSequence - a.JoinSequence) })
	var b strings.Builder
	for _, p := range list {
		b.WriteString(strings.Join([]string{strconv.FormatInt(p.JoinSequence, 10), p.ParticipantID, p.UserID, p.State, strconv.FormatBool(p.Published), p.FirstJoinTime.Format(time.RFC3339Nano)}, " ") + "\n")
	}
	return b.String()
}
