package sfu

import (
	"testing"
	"time"
)

func TestOfTheWayIsToldWhatIsKnownAndWhatIsLacking(t *testing.T) {
	t.Parallel()
	pub, _ := studio(t, "hi", "mid", "low")
	pub.reading.streams = make([]StreamStats, len(pub.layers))
	for i, rate := range []int{200_000, 700_000, 1_700_000} {
		pub.reading.streams[len(pub.layers)-3+i].Bitrate = rate
	}
	for name, c := range map[string]struct {
		wish    wish
		allowed int
		rate    float64
		pause   time.Duration
		want    Way
	}{
		"nothing is known":            {wish{}, 0, 0, 0, Way{Aim: "low"}},
		"not tried yet":               {wish{}, 0, 300e3, firstPause, Way{Takes: 300_000, Aim: "low"}},
		"tried in vain":               {wish{}, 0, 300e3, jamPause, Way{Takes: 300_000, Aim: "low", Lacks: 700_000}},
		"the best":                    {wish{}, 2, 2e6, jamPause, Way{Takes: 2_000_000, Aim: "hi"}},
		"no room at all":              {wish{}, -1, 100e3, firstPause, Way{Takes: 100_000, Paused: true, Lacks: 200_000}},
		"chosen, and there is room":   {wish{layer: "mid"}, 0, 700e3, 0, Way{Takes: 700_000, Aim: "mid", Chosen: true}},
		"chosen, and there is none":   {wish{layer: "hi"}, -1, 300e3, 0, Way{Takes: 300_000, Aim: "hi", Chosen: true, Lacks: 1_700_000}},
		"no video is wanted":          {wish{none: true}, -1, 100e3, jamPause, Way{Takes: 100_000}},
		"more than can be is bounded": {wish{}, 2, 1e30, 0, Way{Takes: mostTaken, Aim: "hi"}},
	} {
		s := &Subscription{src: pub, wish: c.wish, allowed: c.allowed}
		s.adaptation.estimate.rate, s.adaptation.pause = c.rate, c.pause
		s.measure(epoch)
		if got := s.reading.way; got != c.want {
			t.Errorf("%s: %+v, not %+v", name, got, c.want)
		}
	}
}
