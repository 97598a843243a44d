package sfu

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/srtp/v3"
)

// TestSubscriptionsOfOneViewerShareItsWay: four publishers of three layers, seen over one narrow way.
func TestSubscriptionsOfOneViewerShareItsWay(t *testing.T) {
	t.Parallel()
	const length = 2 * time.Minute
	for rate, layers := range map[float64][]int{
		600e3: {0, -1, -1, -1},
		1.3e6: {0, 0, 0, 0},
		2e6:   {1, 0, 0, 0},
		5e6:   {2, 1, 1, 1},
		20e6:  {2, 2, 2, 2},
	} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			s := &scene{way: way{rate: always(rate)}, layers: threeLayers, count: 4, pads: true}
			s.play(length)
			var shown []int
			for _, seat := range s.seats {
				shown = append(shown, seat.shown)
				if seat.turned > 20*time.Second || len(seat.log) > 3 {
					t.Error("it does not settle")
				}
			}
			if !slices.Equal(shown, layers) {
				t.Errorf("shown are %v, not %v", shown, layers)
			}
			if used := float64(8*s.came) / length.Seconds(); used < 0.65*min(rate, 8e6) {
				t.Errorf("%.0f bit/s are used", used)
			}
			if s.lost > 0 && rate > 1e6 {
				t.Error("audio was lost")
			}
			if t.Failed() {
				t.Log(s)
			}
		})
	}
}

func TestTheBestComesBackSoonAfterADip(t *testing.T) {
	t.Parallel()
	const from, soon = 30 * time.Second, 15 * time.Second
	for _, rate := range []float64{150e3, 300e3, 1e6} {
		for _, length := range []time.Duration{2 * time.Second, 10 * time.Second, 15 * time.Second, time.Minute} {
			s := &scene{way: way{rate: dip(from, from+length, 3e6, rate)}, layers: threeLayers, pads: true}
			s.play(from + length + 60*time.Second)
			seat := s.seats[0]
			if back := seat.turned - from - length; seat.shown != 2 || back > soon || len(seat.log) > 8 {
				t.Errorf("after %v of %.0f it was back in %v: %s", length, rate, back, s)
			}
		}
	}
}

// TestWhoReportsLessIsAdaptedMoreCarefully: without padding each try is a layer that is shown, without reports of arrivals a jam shows late.
func TestWhoReportsLessIsAdaptedMoreCarefully(t *testing.T) {
	t.Parallel()
	for _, blind := range []bool{false, true} {
		for name, c := range map[string]struct {
			way
			judge func(*seat) bool
		}{
			"a good way gets the best":                  {way{rate: always(20e6)}, func(s *seat) bool { return s.during(2) > 0.9 && len(s.log) == 3 }},
			"also when one packet in twenty is lost":    {way{rate: always(20e6), loss: 0.05}, func(s *seat) bool { return s.during(2) > 0.9 }},
			"a narrow way stays at what has room":       {way{rate: always(300e3)}, func(s *seat) bool { return s.during(0) > 0.93 && s.during(-1) == 0 && len(s.log) < 12 }},
			"one between two layers gets the lower one": {way{rate: always(1e6)}, func(s *seat) bool { return s.during(1) > 0.85 && s.during(0) < 0.1 && len(s.log) < 14 }},
			"where nothing has room audio goes on":      {way{rate: always(100e3)}, func(s *seat) bool { return s.during(-1) > 0.7 && s.scene.lost < 1500 }},
			"a dip is followed":                         {way{rate: dip(20*time.Second, 40*time.Second, 5e6, 300e3)}, func(s *seat) bool { return s.during(2) > 0.5 && s.shown == 2 }},
		} {
			s := &scene{way: c.way, layers: threeLayers, blind: blind}
			s.play(2 * time.Minute)
			if !c.judge(s.seats[0]) {
				t.Errorf("%s, receiver reports only %v: %s", name, blind, s)
			}
		}
	}
}

// viewing makes shares of a viewer in these layers each, and the adaptation of all.
func viewing(limit float64, all ...[]int) *adaptation {
	a := &adaptation{limit: limit}
	for _, layers := range all {
		s := &share{claim: claim{supply: supply{audio: 40_000, count: len(layers)}, most: topRank}, wake: func() {}}
		copy(s.supply.layers[:], layers)
		a.shares = append(a.shares, s)
	}
	return a
}

// shown is what all show.
func (a *adaptation) shown() (all []int) {
	for _, s := range a.shares {
		all = append(all, s.shows())
	}
	return all
}

func TestAllSubscriptionsOfAViewerKeepTheLimitTogether(t *testing.T) {
	t.Parallel()
	single, three := []int{2_500_000}, []int{200_000, 700_000, 1_700_000}
	for name, c := range map[string]struct {
		layers [][]int
		named  int // the layer that all have named; -1 is none
		report bool
		want   []int
	}{
		"without layers the oldest are shown": {[][]int{single, single, single, single, single}, -1, false, []int{0, 0, 0, -1, -1}},
		"what has room is shown":              {[][]int{single, single, single, single, {400_000}}, -1, false, []int{0, 0, 0, -1, 0}},
		"with layers all are":                 {[][]int{three, three, three, three, three, three, three, three}, -1, true, []int{2, 2, 1, 1, 1, 1, 1, 1}},
		"what was named is lowered, too":      {[][]int{three, three, three, three, three, three}, 2, false, []int{2, 2, 2, 1, 1, 1}},
		"what keeps within it is left alone":  {[][]int{three, three, three, three}, 2, false, []int{2, 2, 2, 2}},
		"who sends much leaves others little": {[][]int{{7_400_000}, three, three}, -1, true, []int{0, 0, 0}},
	} {
		a := viewing(8.5e6, c.layers...)
		if c.named >= 0 {
			for _, s := range a.shares {
				s.most, s.named, s.granted = c.named, true, topRank
			}
		}
		dice, before, since := rand.New(rand.NewPCG(3, 4)), a.shown(), 0
		for second := range 600 {
			for i, s := range a.shares { // bitrates vary
				for j, rate := range c.layers[i] {
					s.supply.layers[j] = int(float64(rate) * (0.97 + 0.06*dice.Float64()))
				}
			}
			if c.report {
				a.estimate.heard, a.estimate.rate, a.estimate.calm = true, 20e6, true
			}
			a.step(epoch.Add(time.Duration(second) * time.Second))
			if second > 10 && a.shares.need() > 8.5e6 {
				t.Errorf("%s: all take %.0f", name, a.shares.need())
			}
			if now := a.shown(); !slices.Equal(now, before) {
				before, since = now, second
			}
		}
		if !slices.Equal(a.shown(), c.want) || since > 60 {
			t.Errorf("%s: shown are %v since %d s, not %v", name, a.shown(), since, c.want)
		}
	}
}

func TestOfTheLimitIsToldWhatItForbids(t *testing.T) {
	t.Parallel()
	a := viewing(1e6, []int{200_000, 500_000}, []int{200_000, 600_000})
	a.shares[0].granted = 1
	if got := a.wants(); got != 40_000+500_000+40_000+600_000 {
		t.Errorf("with the next step all want %.0f", got)
	}
	a.limit = 2e6
	if got := a.wants(); got != a.shares.need() {
		t.Errorf("all want %.0f, and are given it", got)
	}
	a.limit = 0
	if got := a.wants(); got != a.shares.need() {
		t.Errorf("without a limit all want %.0f", got)
	}
}

func TestOneWhoSeesMuchMakesRoomForOneWhoSeesLittle(t *testing.T) {
	t.Parallel()
	three := []int{200_000, 700_000, 1_700_000}
	a := viewing(0, three, three)
	a.shares[0].granted = 2
	a.estimate = estimate{heard: true, rate: 1.98e6, calm: true}
	a.pause, a.since, a.raised = firstPause, epoch, true
	a.estimate.jams, a.estimate.rate = 1, 1.7e6
	a.step(epoch.Add(time.Second))
	if got := a.shown(); !slices.Equal(got, []int{1, 1}) {
		t.Errorf("shown are %v", got)
	}
}

func TestSubscriptionsAreLimitedTogetherWhateverTheyReport(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	var all []*viewer
	for range 2 {
		c := publish(t, e, cameraOptions{noAudio: true})
		wait(t, c.story.media, "media")
		until(t, "figures", func() bool { return c.pub.supply().layers[0] > 0 })
		limit := 3 * c.pub.supply().layers[0] / 2
		v := subscribe(t, e, c.pub, viewerOptions{SubscribeOptions: SubscribeOptions{Viewer: "ann", Limit: limit}})
		inOrder(t, v.video, 5)
		all = append(all, v)
	}
	until(t, "a pause of the younger one alone", func() bool { // on a busy machine video comes in bursts, which may be too much for a moment
		older := all[0].sub.View()
		return all[1].sub.View().Paused && !older.Paused && older.Video
	})
	until(t, "word of the limit", func() bool { w := all[1].sub.Stats().Way; return w.Paused && w.Limited && w.Lacks > 0 })
	all[0].sub.Close()
	<-all[0].sub.Done()
	until(t, "the video of who is left", func() bool { return !all[1].sub.View().Paused })
	all[1].drain()
	wait(t, all[1].video, "video")
	all[1].sub.Close()
	<-all[1].sub.Done()
	if len(e.viewers) != 0 {
		t.Errorf("%d viewers are kept", len(e.viewers))
	}
}

func TestInAJamNothingIsSentAgain(t *testing.T) {
	t.Parallel()
	p := nowhere(func(*batch) {})
	l, outlets := benchLayerOn(t, p, 1, home, srtp.ProtectionProfileAeadAes128Gcm)
	o := outlets[0]
	for seq := range uint16(20) {
		in := benchPacket(t, 20)
		binary.BigEndian.PutUint16(in[2:], seq)
		l.accept(in, epoch)
	}
	s := &Subscription{Peer: Peer{engine: &Engine{port: p, log: discard}}, outlets: outlets, share: &share{wake: func() {}}, allowance: &allowance{}}
	lost := &rtcp.TransportLayerNack{MediaSSRC: o.out.ssrc, Nacks: []rtcp.NackPair{{PacketID: o.munger.outSeq, LostPackets: 0xffff}, {PacketID: o.munger.outSeq - 10, LostPackets: 0xff}}}
	s.allowance.adaptation.estimate.queue = 2 * hugeQueue
	if s.serve(lost, epoch); o.toll.resent.Load() != 0 {
		t.Error("it was sent again into a jam")
	}
	s.allowance.adaptation.estimate.queue = 0
	if s.serve(lost, epoch); o.toll.resent.Load() == 0 {
		t.Error("it was not sent again")
	}
}
