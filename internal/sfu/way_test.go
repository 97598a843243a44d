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
		limit   float64
		want    Way
	}{
		"nothing is known":            {wish{}, 0, 0, 0, 0, Way{Aim: "low"}},
		"not tried yet":               {wish{}, 0, 300e3, firstPause, 0, Way{Takes: 300_000, Aim: "low"}},
		"tried in vain":               {wish{}, 0, 300e3, jamPause, 0, Way{Takes: 300_000, Aim: "low", Lacks: 700_000}},
		"the best":                    {wish{}, 2, 2e6, jamPause, 0, Way{Takes: 2_000_000, Aim: "hi"}},
		"no room at all":              {wish{}, -1, 100e3, firstPause, 0, Way{Takes: 100_000, Paused: true, Lacks: 200_000}},
		"chosen, and there is room":   {wish{layer: "mid"}, topRank, 700e3, 0, 0, Way{Takes: 700_000, Aim: "mid", Chosen: true}},
		"chosen, and there is none":   {wish{layer: "hi"}, topRank, 300e3, 0, 0, Way{Takes: 300_000, Aim: "hi", Chosen: true, Lacks: 1_700_000}},
		"more than the limit":         {wish{}, 1, 2e6, firstPause, 1e6, Way{Takes: 2_000_000, Aim: "mid", Lacks: 1_700_000, Limited: true}},
		"chosen, over the limit":      {wish{layer: "hi"}, 0, 2e6, firstPause, 5e5, Way{Takes: 2_000_000, Aim: "low", Chosen: true, Lacks: 700_000, Limited: true}},
		"no video is wanted":          {wish{none: true}, -1, 100e3, jamPause, 0, Way{Takes: 100_000}},
		"more than can be is bounded": {wish{}, 2, 1e30, 0, 0, Way{Takes: mostTaken, Aim: "hi"}},
	} {
		s := &Subscription{src: pub, wish: c.wish, allowed: c.allowed, live: true, started: true, outlets: []*outlet{{kind: video}}}
		s.share = &share{granted: c.allowed}
		s.share.claim = s.claim()
		s.allowance = &allowance{adaptation: adaptation{shares: shares{s.share}, limit: c.limit, pause: c.pause}}
		s.allowance.adaptation.estimate.rate = c.rate
		s.measure(epoch)
		if got := s.reading.way; got != c.want {
			t.Errorf("%s: %+v, not %+v", name, got, c.want)
		}
	}
}
