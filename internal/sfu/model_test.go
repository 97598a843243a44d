package sfu

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
)

// way is a model of what lies between us and a subscriber. Time in it is a number.
type way struct {
	rate   func(at time.Duration) float64 // bits a second
	delay  time.Duration
	jitter time.Duration // of each packet by itself, evenly up to
	loss   float64
	queue  time.Duration // what waits longer is dropped
	longer time.Duration // from when on the way takes 150 ms more; 0 is never

	dice *rand.Rand
	busy time.Duration // until then
}

// carry tells when a packet arrives; false if it does not.
func (w *way) carry(at time.Duration, size int) (time.Duration, bool) {
	w.busy = max(w.busy, at)
	if w.dice.Float64() < w.loss || w.busy-at > w.queue {
		return 0, false
	}
	w.busy += time.Duration(float64(8*size) / w.rate(at) * float64(time.Second))
	delay := w.delay
	if w.longer > 0 && at > w.longer {
		delay += 150 * time.Millisecond
	}
	return w.busy + delay + time.Duration(w.dice.Float64()*float64(w.jitter)), true
}

func always(rate float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return rate }
}

// dip is a rate that is another one for a while.
func dip(from, to time.Duration, rate, within float64) func(time.Duration) float64 {
	return func(at time.Duration) float64 {
		if at >= from && at < to {
			return within
		}
		return rate
	}
}

// scene is a viewer at the end of a way, with subscriptions to so many publications that are all alike.
type scene struct {
	way
	layers []float64 // bits a second
	start  int       // the layer that is shown first
	count  int       // of publications; 0 is one
	silent bool      // there is no audio
	pads   bool      // padding can be sent
	blind  bool      // the viewer sends receiver reports only
	a      allowance
	seats  []*seat
	worst  time.Duration // a packet was on its way
	came   int           // bytes
	lost   int           // packets of audio
}

// seat is one of the scene's subscriptions.
type seat struct {
	*scene
	share
	t       tracking
	skew    int64 // of the receiver's clock, in microseconds
	report  *twcc.Recorder
	flights []flight
	reports []reply
	lost, sent,
	bytes int // since the last receiver report
	shown  int
	frame  time.Duration   // when the next is due
	log    []string        // what was shown when
	lasted []time.Duration // by layer, nothing first
	turned time.Duration   // when another layer was granted last
}

type flight struct {
	number uint16
	at     time.Duration
}

// reply is a report on its way back.
type reply struct {
	at        time.Duration
	b         []byte
	lost, all int // of a receiver report
	rate      float64
}

// play lets it go on until some time.
func (s *scene) play(end time.Duration) {
	s.dice = rand.New(rand.NewPCG(1, 2))
	s.delay = cmp.Or(s.delay, 20*time.Millisecond)
	s.queue = cmp.Or(s.queue, time.Second)
	for i := range max(1, s.count) {
		s.join(i)
	}
	const tick = 5 * time.Millisecond
	for at := time.Duration(0); at < end; at += tick {
		for _, seat := range s.seats {
			seat.play(at, tick)
		}
	}
}

func (s *scene) join(i int) {
	supply := supply{audio: 48_000, count: len(s.layers)}
	if s.silent {
		supply.audio = 0
	}
	for i, rate := range s.layers {
		supply.layers[i] = int(rate)
	}
	seat := &seat{scene: s, report: twcc.NewRecorder(1), skew: 1e9 + int64(i)*777_777, lasted: make([]time.Duration, 1+len(s.layers))}
	seat.share = share{claim: claim{supply: supply, most: topRank}, granted: s.start, pads: s.pads, wake: func() {}}
	seat.shown = s.start
	seat.t.ledger = newLedger(epoch)
	s.seats = append(s.seats, seat)
	s.a.adaptation.shares = append(s.a.adaptation.shares, &seat.share)
	seat.note(0)
}

// play is what happens in a moment.
func (s *seat) play(at, tick time.Duration) {
	s.lasted[1+s.shown] += tick
	if at%(20*time.Millisecond) == 0 && !s.silent && !s.send(at, 120) {
		s.scene.lost++
	}
	if s.shown != s.granted && at-s.turned > 150*time.Millisecond { // the key frame has come
		s.shown = s.granted
		s.note(at)
		s.frame = at
		if s.shown >= 0 {
			s.film(at, 4)
		}
	}
	if s.shown >= 0 && at >= s.frame {
		s.frame += 33 * time.Millisecond
		s.film(at, 1)
	}
	s.answer(at)
	for len(s.reports) > 0 && s.reports[0].at <= at {
		s.hear(s.reports[0], at)
		s.reports = s.reports[1:]
	}
	was := s.granted
	_, owed, _ := s.a.look(&s.share, s.claim, epoch.Add(at))
	for ; owed > 0; owed -= 255 + 36 {
		s.send(at, 255+36)
	}
	if s.granted != was {
		s.turned = at
	}
}

// send sends a packet and tells whether it arrives.
func (s *seat) send(at time.Duration, size int) bool {
	number := s.t.ledger.next()
	s.t.ledger.note(number, size, epoch.Add(at))
	s.sent++
	came, ok := s.carry(at, size)
	if !ok {
		s.lost++
		return false
	}
	s.bytes += size
	s.flights = append(s.flights, flight{number, came})
	s.worst, s.scene.came = max(s.worst, came-at), s.scene.came+size
	return true
}

// answer is what the receiver reports.
func (s *seat) answer(at time.Duration) {
	slices.SortFunc(s.flights, func(a, b flight) int { return int(a.at - b.at) })
	for len(s.flights) > 0 && s.flights[0].at <= at {
		s.report.Record(1, s.flights[0].number, s.flights[0].at.Microseconds()+s.skew)
		s.flights = s.flights[1:]
	}
	switch {
	case s.blind && at%time.Second == 0 && s.sent > 0:
		s.reports = append(s.reports, reply{at: at + s.delay, lost: s.lost, all: s.sent, rate: float64(8 * s.bytes)})
		s.sent, s.lost, s.bytes = 0, 0, 0
	case !s.blind && at%(100*time.Millisecond) == 0 && s.report.PacketsHeld() > 0:
		for _, p := range s.report.BuildFeedbackPacket() {
			b, err := p.Marshal()
			if err != nil {
				panic(err)
			}
			s.reports = append(s.reports, reply{at: at + s.delay, b: b})
		}
	}
}

func (s *seat) hear(l reply, at time.Duration) {
	if l.b == nil {
		s.a.counted(&s.share, l.lost, l.all, l.rate)
		return
	}
	var a arrivals
	if !a.parse(l.b) {
		panic("a report is not understood")
	}
	s.a.report(&s.t, &a, epoch.Add(at))
}

// film sends a frame.
func (s *seat) film(at time.Duration, times float64) {
	for left := int(times * s.layers[s.shown] / 8 / 30); left > 0; left -= 1200 {
		s.send(at, min(left, 1200))
	}
}

func (s *seat) note(at time.Duration) {
	s.log = append(s.log, fmt.Sprintf("%.1f:%d", at.Seconds(), s.shown))
}

// share is for how much of the time a layer was shown; -1 is none.
func (s *seat) during(layer int) float64 {
	sum := time.Duration(0)
	for _, d := range s.lasted {
		sum += d
	}
	return float64(s.lasted[1+layer]) / float64(sum)
}

// String tells how it went.
func (s *scene) String() string {
	b := fmt.Sprintf("a packet took up to %v, %d of audio were lost; the way is said to take %.0f; shown were", s.worst, s.lost, s.a.adaptation.estimate.rate)
	for _, seat := range s.seats {
		b += fmt.Sprintf("\n%s, for %v", strings.Join(seat.log, " "), seat.lasted)
	}
	return b
}
