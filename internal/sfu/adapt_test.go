package sfu

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

var threeLayers = []float64{200_000, 700_000, 1_700_000}

func TestWhatIsSentAdaptsToTheWay(t *testing.T) {
	t.Parallel()
	one := []float64{1_500_000}
	for name, c := range map[string]struct {
		way
		layers []float64
		from   int
		judge  func(*seat) bool
	}{
		"a good way soon gets the best":                      {way{rate: always(20e6)}, threeLayers, 0, func(s *seat) bool { return s.during(2) > 0.9 && len(s.log) == 3 }},
		"so it does when one packet in twenty is lost":       {way{rate: always(20e6), loss: 0.05}, threeLayers, 0, func(s *seat) bool { return s.during(2) > 0.9 }},
		"and when packets overtake each other":               {way{rate: always(20e6), jitter: 200 * time.Millisecond}, threeLayers, 0, func(s *seat) bool { return s.during(2) > 0.9 }},
		"a narrow way stays at what has room":                {way{rate: always(300e3)}, threeLayers, 0, func(s *seat) bool { return s.during(0) == 1 && s.worst < 600*time.Millisecond }},
		"so it does where nothing waits":                     {way{rate: always(300e3), queue: 100 * time.Millisecond}, threeLayers, 0, func(s *seat) bool { return s.during(0) == 1 }},
		"what began too high goes down at once":              {way{rate: always(300e3)}, threeLayers, 2, func(s *seat) bool { return s.during(0) > 0.95 }},
		"a way between two layers gets the lower one":        {way{rate: always(1e6)}, threeLayers, 0, func(s *seat) bool { return s.during(1) > 0.9 && s.during(2) == 0 }},
		"a way that gets narrow and wide again is followed":  {way{rate: dip(20*time.Second, 40*time.Second, 5e6, 300e3)}, threeLayers, 0, func(s *seat) bool { return s.during(0) > 0.3 && s.during(2) > 0.35 && s.shown == 2 }},
		"where not even the lowest has room audio goes on":   {way{rate: always(100e3)}, threeLayers, 0, func(s *seat) bool { return s.during(-1) > 0.9 }},
		"so it does without simulcast":                       {way{rate: always(1e6)}, one, 0, func(s *seat) bool { return s.during(-1) > 0.8 }},
		"and video comes back when there is room":            {way{rate: dip(10*time.Second, 20*time.Second, 5e6, 300e3)}, one, 0, func(s *seat) bool { return s.during(-1) > 0.1 && s.during(-1) < 0.35 && s.shown == 0 }},
		"so it does where there is no audio":                 {way{rate: dip(10*time.Second, 20*time.Second, 5e6, 300e3)}, one, 0, func(s *seat) bool { return s.during(-1) > 0.1 && s.during(-1) < 0.5 && s.shown == 0 }},
		"so it does where there is next to nothing":          {way{rate: dip(10*time.Second, 30*time.Second, 5e6, 5e3)}, []float64{16_000}, 0, func(s *seat) bool { return s.during(-1) > 0.1 && s.shown == 0 }},
		"video that just has room is left alone":             {way{rate: always(1.7e6)}, one, 0, func(s *seat) bool { return s.during(0) == 1 }},
		"a way that gets longer is not taken for a jam long": {way{rate: always(20e6), longer: 30 * time.Second}, threeLayers, 0, func(s *seat) bool { return s.during(2) > 0.7 && s.shown == 2 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &scene{way: c.way, layers: c.layers, start: c.from, silent: strings.Contains(name, "no audio"), pads: true}
			s.play(time.Minute)
			if !c.judge(s.seats[0]) {
				t.Error(s)
			}
		})
	}
}

// supplied is a share in three layers.
func supplied() *share {
	return &share{claim: claim{supply: supply{audio: 48_000, layers: [maxLayers]int{200_000, 700_000, 1_700_000}, count: 3}, most: topRank}, wake: func() {}}
}

func TestWithoutReportsNothingChanges(t *testing.T) {
	t.Parallel()
	s := supplied()
	s.pads = true
	a := adaptation{shares: shares{s}}
	for n := range 100 {
		if a.step(epoch.Add(time.Duration(n) * time.Second)); s.granted != 0 || a.owes(s, epoch.Add(time.Duration(n)*time.Second)) != 0 {
			t.Fatalf("after %d seconds: %+v", n, a)
		}
	}
}

func TestTheReceiversOwnEstimateServesForWantOfReports(t *testing.T) {
	t.Parallel()
	s := supplied()
	a := adaptation{shares: shares{s}}
	at := func(seconds int, rate float64) int {
		a.told(s, rate)
		a.step(epoch.Add(time.Duration(seconds) * time.Second))
		return s.granted
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
		tr.take(&a, &e, epoch)
		tr.take(&a, &e, epoch)
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
	o.rtx.ledger = newLedger(epoch)
	for _, came := range []bool{false, true} {
		number := o.rtx.ledger.next()
		o.rtx.ledger.note(number, 1000, epoch)
		if o.spent(9, now) {
			t.Fatal("it is not sent")
		}
		o.repeat[9].number = number
		if came {
			o.rtx.ledger.came(number)
		}
		if now = now.Add(time.Second); o.spent(9, now) != came {
			t.Errorf("it has come %v, and is asked for again", came)
		}
		now = now.Add(time.Second)
		o.repeat[9] = repeat{}
	}
}
