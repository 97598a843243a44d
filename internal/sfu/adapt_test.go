package sfu

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
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

// scene is a subscriber at the end of a way, to whom layers of a publication are sent.
type scene struct {
	way
	layers []float64 // bits a second
	silent bool      // there is no audio
	a      adaptation
	t      tracking
	shown  int
	log    []string        // what was shown when
	lasted []time.Duration // by layer, nothing first
	turned time.Duration   // when a.index changed last
	worst  time.Duration   // a packet was on its way
}

type flight struct {
	number uint16
	at     time.Duration
}

// play lets it go on until some time.
func (s *scene) play(end time.Duration) {
	s.dice = rand.New(rand.NewPCG(1, 2))
	s.t.ledger = newLedger(epoch)
	s.a.pads = true
	s.lasted = make([]time.Duration, 1+len(s.layers))
	report := twcc.NewRecorder(1)
	var flights []flight
	var reports []struct {
		at time.Duration
		b  []byte
	}
	send := func(at time.Duration, size int) {
		number := s.t.ledger.next()
		s.t.ledger.note(number, size, epoch.Add(at))
		if came, ok := s.carry(at, size); ok {
			flights = append(flights, flight{number, came})
			s.worst = max(s.worst, came-at)
		}
	}
	const tick = 5 * time.Millisecond
	var supply supply
	supply.audio, supply.count = 48_000, len(s.layers)
	if s.silent {
		supply.audio = 0
	}
	for i, rate := range s.layers {
		supply.layers[i] = int(rate)
	}
	s.note(0)
	var frame time.Duration
	for at := time.Duration(0); at < end; at += tick {
		s.lasted[1+s.shown] += tick
		if at%(20*time.Millisecond) == 0 && !s.silent {
			send(at, 120)
		}
		if s.shown != s.a.index && at-s.turned > 150*time.Millisecond { // the key frame has come
			s.shown = s.a.index
			s.note(at)
			frame = at
			if s.shown >= 0 {
				s.frame(at, 4, send)
			}
		}
		if s.shown >= 0 && at >= frame {
			frame += 33 * time.Millisecond
			s.frame(at, 1, send)
		}
		for owed := s.a.owes(epoch.Add(at)); owed > 0; owed -= 255 + 36 {
			send(at, 255+36)
		}
		slices.SortFunc(flights, func(a, b flight) int { return int(a.at - b.at) })
		for len(flights) > 0 && flights[0].at <= at {
			report.Record(1, flights[0].number, flights[0].at.Microseconds()+1e9)
			flights = flights[1:]
		}
		if at%(100*time.Millisecond) == 0 && report.PacketsHeld() > 0 {
			for _, p := range report.BuildFeedbackPacket() {
				b, err := p.Marshal()
				if err != nil {
					panic(err)
				}
				reports = append(reports, struct {
					at time.Duration
					b  []byte
				}{at + s.delay, b})
			}
		}
		for len(reports) > 0 && reports[0].at <= at {
			var a arrivals
			if !a.parse(reports[0].b) {
				panic("a report is not understood")
			}
			s.t.take(&a, &s.a.estimate)
			reports = reports[1:]
			s.step(at, supply)
		}
		if at%time.Second == 0 && s.a.due(false) {
			s.step(at, supply)
		}
	}
}

func (s *scene) step(at time.Duration, supply supply) {
	was := s.a.index
	s.a.step(epoch.Add(at), supply)
	if s.a.index != was {
		s.turned = at
	}
}

func (s *scene) frame(at time.Duration, times float64, send func(time.Duration, int)) {
	for left := int(times * s.layers[s.shown] / 8 / 30); left > 0; left -= 1200 {
		send(at, min(left, 1200))
	}
}

func (s *scene) note(at time.Duration) {
	s.log = append(s.log, fmt.Sprintf("%.1f:%d", at.Seconds(), s.shown))
}

// share is for how much of the time a layer was shown; -1 is none.
func (s *scene) share(layer int) float64 {
	sum := time.Duration(0)
	for _, d := range s.lasted {
		sum += d
	}
	return float64(s.lasted[1+layer]) / float64(sum)
}

var threeLayers = []float64{200_000, 700_000, 1_700_000}

func TestWhatIsSentAdaptsToTheWay(t *testing.T) {
	t.Parallel()
	one := []float64{1_500_000}
	dip := func(from, to time.Duration, rate float64) func(time.Duration) float64 {
		return func(at time.Duration) float64 {
			if at >= from && at < to {
				return rate
			}
			return 5e6
		}
	}
	for name, c := range map[string]struct {
		way
		layers []float64
		from   int
		judge  func(*scene) bool
	}{
		"a good way soon gets the best":                      {way{rate: always(20e6)}, threeLayers, 0, func(s *scene) bool { return s.share(2) > 0.9 && len(s.log) == 3 }},
		"so it does when one packet in twenty is lost":       {way{rate: always(20e6), loss: 0.05}, threeLayers, 0, func(s *scene) bool { return s.share(2) > 0.9 }},
		"and when packets overtake each other":               {way{rate: always(20e6), jitter: 200 * time.Millisecond}, threeLayers, 0, func(s *scene) bool { return s.share(2) > 0.9 }},
		"a narrow way stays at what has room":                {way{rate: always(300e3)}, threeLayers, 0, func(s *scene) bool { return s.share(0) == 1 && s.worst < 600*time.Millisecond }},
		"so it does where nothing waits":                     {way{rate: always(300e3), queue: 100 * time.Millisecond}, threeLayers, 0, func(s *scene) bool { return s.share(0) == 1 }},
		"what began too high goes down at once":              {way{rate: always(300e3)}, threeLayers, 2, func(s *scene) bool { return s.share(0) > 0.95 }},
		"a way between two layers gets the lower one":        {way{rate: always(1e6)}, threeLayers, 0, func(s *scene) bool { return s.share(1) > 0.9 && s.share(2) == 0 }},
		"a way that gets narrow and wide again is followed":  {way{rate: dip(20*time.Second, 40*time.Second, 300e3)}, threeLayers, 0, func(s *scene) bool { return s.share(0) > 0.3 && s.share(2) > 0.35 && s.shown == 2 }},
		"where not even the lowest has room audio goes on":   {way{rate: always(100e3)}, threeLayers, 0, func(s *scene) bool { return s.share(-1) > 0.9 }},
		"so it does without simulcast":                       {way{rate: always(1e6)}, one, 0, func(s *scene) bool { return s.share(-1) > 0.8 }},
		"and video comes back when there is room":            {way{rate: dip(10*time.Second, 20*time.Second, 300e3)}, one, 0, func(s *scene) bool { return s.share(-1) > 0.1 && s.share(-1) < 0.35 && s.shown == 0 }},
		"so it does where there is no audio":                 {way{rate: dip(10*time.Second, 20*time.Second, 300e3)}, one, 0, func(s *scene) bool { return s.share(-1) > 0.1 && s.share(-1) < 0.5 && s.shown == 0 }},
		"video that just has room is left alone":             {way{rate: always(1.7e6)}, one, 0, func(s *scene) bool { return s.share(0) == 1 }},
		"a way that gets longer is not taken for a jam long": {way{rate: always(20e6), longer: 30 * time.Second}, threeLayers, 0, func(s *scene) bool { return s.share(2) > 0.7 && s.shown == 2 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &scene{way: c.way, layers: c.layers, shown: c.from, silent: strings.Contains(name, "no audio")}
			s.a.index = c.from
			s.delay = 20 * time.Millisecond
			if s.queue == 0 {
				s.queue = time.Second
			}
			s.play(time.Minute)
			if !c.judge(s) {
				t.Errorf("shown was %s, for %v; a packet took up to %v; the way is said to take %.0f", strings.Join(s.log, " "), s.lasted, s.worst, s.a.estimate.rate)
			}
		})
	}
}

func TestWithoutReportsNothingChanges(t *testing.T) {
	t.Parallel()
	a := adaptation{index: 0, pads: true}
	s := supply{audio: 48_000, layers: [maxLayers]int{200_000, 700_000, 1_700_000}, count: 3}
	for n := range 100 {
		if a.step(epoch.Add(time.Duration(n)*time.Second), s); a.index != 0 || a.owes(epoch.Add(time.Duration(n)*time.Second)) != 0 {
			t.Fatalf("after %d seconds: %+v", n, a)
		}
	}
}

func TestTheReceiversOwnEstimateServesForWantOfReports(t *testing.T) {
	t.Parallel()
	a := adaptation{}
	s := supply{audio: 48_000, layers: [maxLayers]int{200_000, 700_000, 1_700_000}, count: 3}
	at := func(seconds int, rate float64) int {
		a.estimate.told(rate)
		a.step(epoch.Add(time.Duration(seconds)*time.Second), s)
		return a.index
	}
	var got []int
	for n, rate := range []float64{300e3, 350e3, 900e3, 2e6, 2.2e6, 800e3, 800e3, 810e3} {
		got = append(got, at(2*n, rate))
	}
	if want := []int{0, 1, 2, 2, 2, 1, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("allowed were %v, not %v", got, want)
	}
}

func TestReportsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		report := twcc.NewRecorder(1)
		number, at, want := uint16(r.Uint32()), int64(r.IntN(1<<40)), map[uint16]int64{}
		for range 1 + r.IntN(300) {
			number += uint16(1 + r.IntN(3)*r.IntN(2))
			at += int64(r.IntN(40_000))
			report.Record(1, number, at)
			want[number] = at
		}
		for _, p := range report.BuildFeedbackPacket() {
			b, err := p.Marshal()
			must(t, err)
			var a arrivals
			if !a.parse(b) {
				t.Fatalf("seed %d: not understood", seed)
			}
			a.each(func(number uint16, came bool, at int64) {
				was, sent := want[number]
				if came != sent || came && abs((int64(a.reference)*referenceUnit+at)-was%(1<<24*referenceUnit)) > 2*deltaUnit {
					t.Fatalf("seed %d: packet %d came %v at %d, not %v at %d", seed, number, came, at, sent, was)
				}
				delete(want, number)
			})
		}
		if len(want) > 0 {
			t.Fatalf("seed %d: nothing is said of %d packets", seed, len(want))
		}
	}
}

func abs(n int64) int64 { return max(n, -n) }

func FuzzReportOfArrivals(f *testing.F) {
	report := twcc.NewRecorder(1)
	for n := range uint16(50) {
		report.Record(1, n*n/3, int64(n)*5000)
	}
	for _, p := range report.BuildFeedbackPacket() {
		if b, err := p.Marshal(); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var a arrivals
		if !a.parse(b) {
			return
		}
		told := 0
		a.each(func(uint16, bool, int64) { told++ })
		if told > a.count || a.count > maxReported {
			t.Errorf("%d packets are told of, %d announced", told, a.count)
		}
		tr := tracking{ledger: newLedger(epoch)}
		for n := range uint16(100) {
			tr.ledger.note(n, 1000, epoch)
		}
		var e estimate
		tr.take(&a, &e)
		tr.take(&a, &e)
	})
}

func TestPacketsHaveTheirTransportWideNumbers(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{rids: []string{"hi", "mid", "low"}})
	v := subscribe(t, e, c.pub, viewerOptions{client: newClientWith(t, webrtc.SettingEngine{}, nil, webrtc.ConfigureTWCCSender)})
	if strings.Count(v.answer, sdp.TransportCCURI) != 2 || strings.Count(v.answer, "transport-cc") < 2 || strings.Contains(v.answer, "goog-remb") {
		t.Fatal("not agreed on:\n" + v.answer)
	}
	var id uint8
	for _, x := range v.GetReceivers()[1].GetParameters().HeaderExtensions {
		if x.URI == sdp.TransportCCURI {
			id = uint8(x.ID)
		}
	}
	for range 20 {
		if p := wait(t, v.video, "packet"); len(p.GetExtension(id)) != 2 {
			t.Fatalf("a packet without a number: %+v", p.Header)
		}
	}
	until(t, "figures of the way", func() bool { return v.sub.Stats().Way.Takes > 0 })
	plain := subscribe(t, e, c.pub, viewerOptions{})
	if strings.Contains(plain.answer, "transport-cc") || wait(t, plain.video, "packet").Extension {
		t.Error("numbers for one who reports nothing")
	}
}

func TestAPacketIsSentAgainOnlyAsOftenAsItCanHelp(t *testing.T) {
	t.Parallel()
	o := outlet{trip: 100 * time.Millisecond}
	sent, now := 0, epoch
	for range 1000 {
		if !o.spent(7, now) {
			sent++
		}
		now = now.Add(10 * time.Millisecond)
	}
	if sent != maxRepeats || o.spent(8, epoch) {
		t.Errorf("sent %d times; others wait for it", sent)
	}
	if o.spent(7, now.Add(time.Minute)) {
		t.Error("a packet that has the number of an old one is not sent again")
	}
}
