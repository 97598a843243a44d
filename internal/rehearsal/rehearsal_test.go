package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheClockGoesForwardOnlyAndAsTimeDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		began := time.Now()
		for _, d := range []time.Duration{time.Hour, 0, 30 * time.Minute} {
			if err := c.Advance(d); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute) // of the bubble's own time
		if got := c.Now().Sub(began); got != 91*time.Minute || c.Ahead() != 90*time.Minute {
			t.Errorf("%v have passed, it is %v ahead", got, c.Ahead())
		}
		for _, d := range []time.Duration{-1, maxAhead, 1<<63 - 1} {
			if c.Advance(d) == nil {
				t.Errorf("it took %v", d)
			}
		}
		c.Reset()
		if !c.Now().Equal(time.Now()) {
			t.Errorf("after a reset it is %v ahead", c.Ahead())
		}
	})
}

func TestTheClockCountsEveryAdvanceOnce(t *testing.T) {
	t.Parallel()
	var c Clock
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if err := c.Advance(time.Second); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if c.Ahead() != 800*time.Second {
		t.Errorf("it is %v ahead", c.Ahead())
	}
}

func TestDiceGiveTheSameBytesAfterARestartAndOthersForAnotherNumber(t *testing.T) {
	t.Parallel()
	throw := func(d *Dice, parts ...int) []byte {
		var all []byte
		for _, n := range parts {
			b := make([]byte, n)
			d.Read(b)
			all = append(all, b...)
		}
		return all
	}
	d := NewDice(7)
	first := throw(d, 12, 3, 20)
	d.Restart()
	if again := throw(d, 12, 3, 20); !bytes.Equal(first, again) {
		t.Errorf("first %x, then %x", first, again)
	}
	if other := throw(NewDice(8), 12, 3, 20); bytes.Equal(first, other) {
		t.Error("another number gives the same")
	}
}

// stand is a door whose calls are counted.
type stand struct {
	*Door
	swept, reset int
	fail         error
}

func newStand() *stand {
	s := new(stand)
	s.Door = NewDoor(Options{
		Clock: new(Clock),
		Sweep: func(context.Context) error { s.swept++; return s.fail },
		Reset: func(context.Context) error { s.reset++; return s.fail },
		Log:   slog.New(slog.DiscardHandler),
	})
	return s
}

func (s *stand) ask(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader(body))
	r.URL.Path = path
	s.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestRequestsAreReadStrictly(t *testing.T) {
	t.Parallel()
	cases := []struct {
		method, path, body string
		status             int
		want               string // in the answer
	}{
		{"GET", "clock", "", 200, `"ahead":"0s"`},
		{"POST", "clock", `{"advance":"13h"}`, 200, `"ahead":"13h0m0s"`},
		{"POST", "clock", `{"at":"2099-01-01T00:00:00Z"}`, 200, `"now":"2099-01-01T00:00:00.`},
		{"POST", "clock", `{"at":"2001-01-01T00:00:00Z"}`, 400, "only goes forward"},
		{"POST", "clock", `{"advance":"-1s"}`, 400, "only goes forward"},
		{"POST", "clock", `{"advance":"2562047h"}`, 400, "at most 100 years"},
		{"POST", "clock", `{"at":"9999-01-01T00:00:00Z"}`, 400, "at most 100 years"},
		{"POST", "clock", `{"advance":"soon"}`, 400, "must be a duration"},
		{"POST", "clock", `{"advance":13}`, 400, "advance"},
		{"POST", "clock", `{"at":"tomorrow"}`, 400, "not what is expected"},
		{"POST", "clock", `{"advance":"1h","at":"2099-01-01T00:00:00Z"}`, 400, "must be"},
		{"POST", "clock", ``, 400, "must be"},
		{"POST", "clock", `{"advance":"1h"}{}`, 400, "follows"},
		{"POST", "clock", `{"forward":"1h"}`, 400, "forward"},
		{"POST", "clock", `{"advance":"` + strings.Repeat("9", maxBody) + `"}`, 413, "more than"},
		{"POST", "clock", `[`, 400, "not what is expected"},
		{"DELETE", "clock", "", 405, "DELETE"},
		{"POST", "reset", "", 204, ""},
		{"POST", "reset", "{}", 204, ""},
		{"POST", "reset", `{"what":"all"}`, 400, "what"},
		{"GET", "reset", "", 405, "GET"},
		{"GET", "seed", "", 404, "without a seed"},
		{"GET", "clock/", "", 404, "nothing here"},
		{"GET", "", "", 404, "nothing here"},
	}
	for _, c := range cases {
		t.Run(c.method+" "+c.path+" "+c.body[:min(len(c.body), 40)], func(t *testing.T) {
			t.Parallel()
			s := newStand()
			status, answer := s.ask(t, c.method, c.path, c.body)
			if status != c.status || !strings.Contains(answer, c.want) {
				t.Errorf("the answer is %d %s; want %d and %q in it", status, answer, c.status, c.want)
			}
			if changed := c.method == "POST" && status < 300; changed != (s.swept+s.reset == 1) {
				t.Errorf("it swept %d times and reset %d times", s.swept, s.reset)
			}
			if status >= 300 && s.Clock.Ahead() != 0 {
				t.Errorf("a refused request set the clock ahead by %v", s.Clock.Ahead())
			}
		})
	}
}

func TestWhatFailsIsSaid(t *testing.T) {
	t.Parallel()
	s := newStand()
	s.fail = errors.New("not everybody has left")
	for path, body := range map[string]string{"reset": "", "clock": `{"advance":"1s"}`} {
		if status, answer := s.ask(t, http.MethodPost, path, body); status != 500 || !strings.Contains(answer, "not everybody has left") {
			t.Errorf("%s answers %d %s", path, status, answer)
		}
	}
}

func FuzzClockRequest(f *testing.F) {
	f.Add(`{"advance":"13h"}`)
	f.Add(`{"at":"2030-01-02T03:04:05Z"}`)
	f.Add(`{"advance":null,"at":null}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, body string) {
		s := newStand()
		before := time.Now()
		status, answer := s.ask(t, http.MethodPost, "clock", body)
		var told struct{ Message, Now string }
		if err := json.Unmarshal([]byte(answer), &told); err != nil {
			t.Fatalf("%s: %v", answer, err)
		}
		if ahead := s.Clock.Ahead(); ahead < 0 || ahead > maxAhead || (status == 200) == (told.Now == "") || (status == 200) == (told.Message != "") {
			t.Errorf("%q: %d %s, the clock is %v ahead", body, status, answer, ahead)
		}
		if s.Clock.Now().Before(before) {
			t.Error("time went back")
		}
	})
}
