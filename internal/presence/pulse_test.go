package presence

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"

	"callboard/internal/live/livetest"
	"callboard/internal/stage"
)

func TestTimeToLetAClientInIsNotItsSilence(t *testing.T) {
	t.Parallel()
	w := livetest.Open(t, livetest.Setting{})
	e := New(Options{Register: w.Register, Floor: w.Floor, PingEvery: 10 * time.Millisecond, DeadAfter: time.Minute})
	admission := w.Admit(w.Stage())
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(rw, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.CloseNow()
		seat, err := w.Floor.Attend(w.Context(), admission, stage.Client{})
		if err != nil {
			t.Error(err)
			return
		}
		heard := &pulse{start: time.Now().Add(-time.Hour)} // as if the join had taken that long
		newSocket(e, conn, heard, seat, false).serve(w.Context())
	}))
	defer server.Close()

	pinged := make(chan struct{}, 1)
	conn, _, err := websocket.Dial(w.Context(), server.URL, &websocket.DialOptions{
		OnPingReceived: func(context.Context, []byte) bool {
			select {
			case pinged <- struct{}{}:
			default:
			}
			return true
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		for {
			if _, _, err := conn.Read(w.Context()); err != nil {
				ended <- err
				return
			}
		}
	}()
	select {
	case <-pinged:
		conn.CloseNow()
		<-ended
	case err := <-ended:
		t.Errorf("the socket ended before the first ping: %v", err)
	}
}
