package live_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"callboard/internal/live"
	"callboard/internal/live/livetest"
	"callboard/internal/stage"
)

// told collects demands.
type told struct {
	mu   sync.Mutex
	list []stage.Demand
}

func (d *told) add(demand stage.Demand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if demand.Participant != "" {
		d.list = append(d.list, demand)
	}
}

func (d *told) all() []stage.Demand {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.list)
}

// A B slice, after a parameter set and a key frame.
var reordered = []byte("\x00\x00\x00\x01\x67\x42\xe0\x1f\xda\x02\x80\xf6\x80\x00\x00\x00\x01\x65\x88\x84\x00\x10\xff\x00\x00\x00\x01\x01\x9e\x62\x44\x27\xff")

func TestAPublicationOverALimitEndsWithItsError(t *testing.T) {
	t.Parallel()
	for code, q := range map[stage.ErrorCode]stage.Quotas{
		stage.BitrateExceeded:        {PublishBitrate: 1000, PublishLines: 100_000},
		stage.ResolutionExceeded:     {PublishLines: 16, PublishBitrate: 100_000_000},
		stage.BFramePresent:          {BFrames: 1},
		stage.StreamDurationExceeded: {MediaDuration: 4 * time.Second},
	} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			var d told
			h := open(t, livetest.Setting{Live: live.Options{Quotas: q, Demanded: d.add}})
			a := h.Admit(h.Stage())
			seat := h.attend(a)
			p := livetest.Publisher(t)
			if code == stage.BFramePresent {
				p.Show(reordered)
			}
			_, answer, err := h.Floor.Publish(h.Context(), a, stage.Client{}, p.Offer())
			if err != nil {
				t.Fatal(err)
			}
			p.Connect(answer)
			p.Play()
			livetest.Wait(t, "the end of the connection", p.Down())
			h.await(a, "JOINED", "PUBLISH_STARTED", "PUBLISH_ERROR "+string(code), "PUBLISH_STOPPED")
			if f := h.media(a).Failures; len(f) != 1 || f[0].Error != code {
				t.Errorf("remembered: %+v", f)
			}
			all := d.all()
			if len(all) != 2 || !all[0].Refused() || all[0].Participant != a.ParticipantID || all[1].Had != 0 || all[1].Quota != all[0].Quota {
				t.Errorf("told: %+v", all)
			}
			seat.Leave()
		})
	}
}

func TestASubscriptionThatLastsTooLongEndsWithItsError(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{Live: live.Options{Quotas: stage.Quotas{MediaDuration: 8 * time.Second}}})
	arn := h.Stage()
	host, viewer := h.Admit(arn), h.Admit(arn)
	h.attend(host) // and so its subscribers may wait for it when its own time is over
	h.publish(host)
	_, p := h.subscribe(viewer, host.ParticipantID)
	livetest.Wait(t, "the end of the connection", p.Down())
	h.Await("the subscriber's leaving", func() bool { return slices.Contains(h.Events(arn, viewer.ParticipantID), "LEFT") }, nil)
	of := " " + host.ParticipantID
	h.want(viewer, "JOINED", "SUBSCRIBE_STARTED"+of, "SUBSCRIBE_ERROR"+of+" STREAM_DURATION_EXCEEDED", "SUBSCRIBE_STOPPED"+of, "LEFT")
}

func TestWhatAWSWouldEndGoesOnAndIsToldOnce(t *testing.T) {
	t.Parallel()
	var d told
	h := open(t, livetest.Setting{Live: live.Options{AWS: stage.Quotas{PublishLines: 16, PublishBitrate: 100_000_000, MediaDuration: time.Hour}, Demanded: d.add}})
	a := h.Admit(h.Stage())
	m, p := h.publish(a)
	h.Await("word of the resolution", func() bool { return len(d.all()) > 0 }, nil)
	first := d.all()[0]
	if first.Refused() || !first.Over(16) || first.Quota != "publish-resolution" || first.Stage != a.Stage {
		t.Errorf("told: %+v", first)
	}
	select {
	case <-p.Down():
		t.Error("it has ended")
	default:
	}
	h.want(a, "JOINED", "PUBLISH_STARTED")
	if err := m.Close(h.Context()); err != nil {
		t.Fatal(err)
	}
	if all := d.all(); len(all) != 2 || all[1].Had != 0 {
		t.Errorf("told: %+v", all)
	}
}

func TestVideoThatDoesNotComeCountsAsStoppedUntilItComes(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage())
	seat := h.attend(a)
	_, p := h.publish(a)
	flags := func() [2]bool { l := seat.State().Local; return [2]bool{l.AudioMuted, l.VideoStopped} }
	is := func(audio, video bool) func() bool { return func() bool { return flags() == [2]bool{audio, video} } }
	p.Darken(true)
	h.Await("video that has stopped", is(false, true), nil)
	if m := h.media(a); !m.VideoStopped || m.AudioMuted {
		t.Errorf("its media: %+v", m)
	}
	seat.SetMute(true, false) // which does not make packets come
	h.Await("audio that is muted", is(true, true), nil)
	p.Darken(false)
	h.Await("video that is back", is(true, false), nil)
	p.Darken(true)
	h.Await("video that has stopped again", is(true, true), nil)
	p.Close()
	h.Await("what it said itself", is(true, false), nil)
	seat.Leave()
}

// TestAParticipantReceivesNoMoreThanTheQuotaSays: the video of the second publisher has no room beside the first's.
func TestAParticipantReceivesNoMoreThanTheQuotaSays(t *testing.T) {
	t.Parallel()
	var d told
	h := open(t, livetest.Setting{Live: live.Options{Quotas: stage.Quotas{DownloadBitrate: 1000}, Demanded: d.add}})
	arn := h.Stage()
	host, viewer := h.Admit(arn), h.Admit(arn)
	h.publish(host)
	h.subscribe(viewer, host.ParticipantID)
	of := " " + host.ParticipantID
	h.await(viewer, "JOINED", "SUBSCRIBE_STARTED"+of, "SUBSCRIBE_ERROR"+of+" BITRATE_EXCEEDED")
	h.Await("a demand", func() bool { return len(d.all()) > 0 }, nil)
	if got := d.all()[0]; got.Quota != "download-bitrate" || !got.Refused() || got.Participant != viewer.ParticipantID {
		t.Errorf("told: %+v", got)
	}
	if w := h.media(viewer).Subscriptions[0].Way; !w.Paused || !w.Limited {
		t.Errorf("of the way is told %+v", w)
	}
}

func TestWhatAWSWouldNotLetAParticipantReceiveIsToldOnceAndGoesOn(t *testing.T) {
	t.Parallel()
	var d told
	h := open(t, livetest.Setting{Live: live.Options{AWS: stage.Quotas{DownloadBitrate: 1000}, Demanded: d.add}})
	arn := h.Stage()
	viewer := h.Admit(arn)
	var all []*live.Media
	for range 2 {
		host := h.Admit(arn)
		h.publish(host)
		m, _ := h.subscribe(viewer, host.ParticipantID)
		all = append(all, m)
	}
	h.Await("a demand", func() bool { return len(d.all()) > 0 }, nil)
	if got := d.all()[0]; got.Quota != "download-bitrate" || got.Refused() || !got.Over(1000) {
		t.Errorf("told: %+v", got)
	}
	for _, m := range all {
		if err := m.Close(h.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if told := d.all(); len(told) != 2 || told[1].Had != 0 {
		t.Errorf("told: %+v", told)
	}
}
