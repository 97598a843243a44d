package desk

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// outlet is how messages reach one watcher: as an event stream or over a WebSocket.
type outlet interface {
	// add puts a message at the end of what is to be sent. id is "" for one at which
	// a watch cannot be resumed; data are the parts of its JSON.
	add(name, id string, data ...[]byte)
	// size is how many bytes are to be sent.
	size() int
	// flush sends them. Who does not take them within a bounded time is lost.
	flush() error
	// close ends the stream after everything was sent.
	close()
}

// eventStream is an outlet of type text/event-stream:
// https://html.spec.whatwg.org/multipage/server-sent-events.html
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration // for one write
	buf     []byte
}

// reconnect is how long browsers are to wait before they come back.
const reconnect = "retry: 2000\n\n"

func newEventStream(w http.ResponseWriter, limit time.Duration) *eventStream {
	s := &eventStream{w: w, control: http.NewResponseController(w), limit: limit, buf: []byte(reconnect)}
	s.control.SetReadDeadline(time.Time{}) // the one of ordinary requests would end the stream
	return s
}

func (s *eventStream) add(name, id string, data ...[]byte) {
	if name == heartbeat { // only moves the cursor
		s.buf = append(s.buf, ":\nid: "...)
		s.buf = append(append(s.buf, id...), "\n\n"...)
		return
	}
	s.buf = append(append(s.buf, "event: "...), name...)
	if id != "" {
		s.buf = append(append(s.buf, "\nid: "...), id...)
	}
	s.buf = append(s.buf, "\ndata: "...)
	for _, part := range data {
		s.buf = append(s.buf, part...)
	}
	s.buf = append(s.buf, "\n\n"...)
}

func (s *eventStream) size() int { return len(s.buf) }

func (s *eventStream) flush() error {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.limit)); err != nil {
		return err
	}
	_, err := s.w.Write(s.buf)
	s.buf = s.buf[:0]
	if err != nil {
		return err
	}
	return s.control.Flush()
}

func (s *eventStream) close() {}

// socket is an outlet that sends text frames, each an array of messages, which are
// objects with event, id and data.
type socket struct {
	conn  *websocket.Conn
	limit time.Duration
	buf   []byte
}

func (s *socket) add(name, id string, data ...[]byte) {
	begin := byte(',')
	if len(s.buf) == 0 {
		begin = '['
	}
	s.buf = append(append(s.buf, begin), `{"event":"`...)
	s.buf = append(append(s.buf, name...), '"')
	if id != "" { // which has nothing that would have to be escaped
		s.buf = append(append(append(s.buf, `,"id":"`...), id...), '"')
	}
	if len(data) > 0 {
		s.buf = append(s.buf, `,"data":`...)
	}
	for _, part := range data {
		s.buf = append(s.buf, part...)
	}
	s.buf = append(s.buf, '}')
}

func (s *socket) size() int { return len(s.buf) }

func (s *socket) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.limit)
	defer cancel()
	err := s.conn.Write(ctx, websocket.MessageText, append(s.buf, ']'))
	s.buf = s.buf[:0]
	return err
}

func (s *socket) close() { s.conn.Close(websocket.StatusGoingAway, "") }
