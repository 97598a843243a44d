package sfu

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/srtp/v3"
)

func TestASubscriberChoosesLayersWhileItReceives(t *testing.T) {
	t.Parallel()
	rids := []string{"hi", "mid", "low"}
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{rids: rids})
	v := subscribe(t, e, c.pub, viewerOptions{})
	for _, name := range []string{"low", "hi", "mid", "low"} {
		must(t, v.sub.Choose(Change{Layer: &name}))
		settled(t, v, byte(slices.Index(rids, name)))
		if view := v.sub.View(); view.Auto || !view.Video || view.Selected != name {
			t.Errorf("%s was chosen, seen is %+v", name, view)
		}
	}
	if view := v.sub.View(); len(view.Layers) != 3 || view.Layers[0].Label != "hi" || !view.Layers[0].Active {
		t.Errorf("to choose from: %+v", view)
	}
	until(t, "the rates of the layers", func() bool {
		best := v.sub.View().Layers[0]
		return best.Bitrate > 0 && best.FrameRate > 0
	})
	auto, unknown, yes, no := "", "ultra", true, false
	if err := v.sub.Choose(Change{Layer: &unknown, Video: &no}); !errors.Is(err, ErrNoLayer) || !v.sub.View().Video {
		t.Errorf("a layer that does not exist: %v, then %+v", err, v.sub.View())
	}
	must(t, v.sub.Choose(Change{Layer: &auto}))
	if !v.sub.View().Auto {
		t.Errorf("%+v", v.sub.View())
	}

	must(t, v.sub.Choose(Change{Video: &no}))
	for len(v.audio) > 0 {
		<-v.audio
	}
	inOrder(t, v.audio, 20) // what was on its way has come
	v.drain()
	inOrder(t, v.audio, 50)
	if view := v.sub.View(); len(v.video) > 0 || view.Video || view.Selected != "" {
		t.Errorf("video was sent to one who wants none: %+v", view)
	}
	must(t, v.sub.Choose(Change{Video: &yes}))
	if key, _, _, _ := content(wait(t, v.video, "packet")); !key {
		t.Error("video began again in the middle")
	}
	v.sub.Close()
	<-v.sub.Done()
	if err := v.sub.Choose(Change{Video: &no}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestWithoutSimulcastThereIsNoLayerToChoose(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	v := subscribe(t, e, c.pub, viewerOptions{SubscribeOptions: SubscribeOptions{AudioOnly: true}})
	hi, yes := "hi", true
	if err := v.sub.Choose(Change{Layer: &hi}); !errors.Is(err, ErrNoLayer) {
		t.Error(err)
	}
	inOrder(t, v.audio, 20)
	if view := v.sub.View(); len(view.Layers) != 0 || view.Video || !view.Auto || len(v.video) > 0 {
		t.Errorf("%+v", view)
	}
	must(t, v.sub.Choose(Change{Video: &yes}))
	inOrder(t, v.video, 20)
}

// TestNoNumberIsMissingHoweverOftenTheLayerChanges: a gap in what a receiver gets would be a packet that nobody can send again.
func TestNoNumberIsMissingHoweverOftenTheLayerChanges(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := nowhere(func(*batch) {})
		tr := newTrack(&section{kind: video, codec: codec{mime: mimeH264, clock: 90000, payload: 102}, rids: []string{"hi", "mid", "low"}}, p, &skew{}, 2*time.Second)
		tr.changed, tr.count = func() {}, func(tally) {}
		o := newOutlet(&section{kind: video, codec: tr.codec, ssrc: 7}, wish{most: topRank}, &counters{}, func() {})
		o.out.link = benchLink(t, p, netip.MustParseAddrPort("127.0.0.1:9"), srtp.ProtectionProfileAeadAes128Gcm)
		tr.add(o, epoch)
		now, seqs, sent := epoch, [3]uint16{60000, 5, 30000}, uint32(0)
		first := o.munger.outSeq
		for range 3000 {
			now = now.Add(time.Duration(r.IntN(5)) * time.Millisecond)
			i := r.IntN(3)
			l := tr.layers[i]
			b := benchPacket(t, 20)
			b[2], b[3], b[6], b[7], b[12] = byte(seqs[i]>>8), byte(seqs[i]), byte(seqs[i]>>8), byte(seqs[i]), 0x41
			if r.IntN(20) == 0 {
				b[12] = 0x65
			}
			seqs[i]++
			l.bring(b, now)
			if r.IntN(3) == 0 {
				l.deliver()
			}
			switch r.IntN(40) {
			case 0:
				tr.turn(o, wish{most: r.IntN(3)}, now)
			case 1:
				tr.turn(o, wish{none: true}, now)
			case 2:
				tr.look(now)
			}
			if o.packets != sent && o.munger.outSeq-first != uint16(o.packets) {
				t.Fatalf("seed %d: %d packets were given %d numbers", seed, o.packets, o.munger.outSeq-first)
			}
			sent = o.packets
		}
		if sent < 50 {
			t.Errorf("seed %d: only %d packets were sent", seed, sent)
		}
	}
}

func TestALayerThatIsNamedIsSentWhateverTheWayTakes(t *testing.T) {
	t.Parallel()
	s := &Subscription{wish: wish{layer: "hi"}, allowed: topRank}
	if w := s.effective(); w.none || w.layer != "hi" {
		t.Errorf("%+v", w)
	}
	if s.wish.layer, s.allowed = "", -1; !s.effective().none {
		t.Error("video goes on where there is no room and nothing was named")
	}
}

func TestAChoiceOutlastsAPublicationWithoutLayers(t *testing.T) {
	t.Parallel()
	rids := []string{"hi", "mid", "low"}
	e := openEngine(t, Options{})
	before := publish(t, e, cameraOptions{rids: rids, mark: 1})
	v := subscribe(t, e, before.pub, viewerOptions{SubscribeOptions: SubscribeOptions{Layer: "hi"}})
	settled(t, v, 0)
	before.pub.Close()
	v.sub.Detach()
	from := func(mark byte) {
		t.Helper()
		for {
			if _, got, _, _ := content(wait(t, v.video, "packet")); got == mark {
				return
			}
		}
	}
	single := publish(t, e, cameraOptions{mark: 2})
	must(t, v.sub.Attach(single.pub))
	from(2)
	if view := v.sub.View(); len(view.Layers) != 0 || view.Auto {
		t.Errorf("%+v", view)
	}
	after := publish(t, e, cameraOptions{rids: rids, mark: 3})
	must(t, v.sub.Attach(after.pub))
	from(3)
	settled(t, v, 0)
}

func TestAHundredSubscribersAskForNoMoreKeyFramesThanOne(t *testing.T) {
	t.Parallel()
	l, outlets := benchLayer(t, 100)
	asked := 0
	for ms := range 10_000 {
		now := epoch.Add(time.Duration(ms) * time.Millisecond)
		for _, o := range outlets {
			o.ask()
		}
		if due, _ := l.plea.due(now); due {
			asked++
			l.plea.answer() // the publisher obeys at once
		}
	}
	if asked == 0 || asked > 21 {
		t.Errorf("%d requests in ten seconds", asked)
	}
}
