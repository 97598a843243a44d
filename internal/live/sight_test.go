package live_test

import (
	"testing"
	"time"

	"callboard/internal/live/livetest"
	"callboard/internal/stage"
)

// media asks what is known of one participant's media.
func (h *house) media(a stage.Admission) stage.ParticipantMedia {
	h.t.Helper()
	m, err := h.Service.Media(h.t.Context(), h.Caller, a.Stage, a.ParticipantID)
	if err != nil || len(m.Participants) > 1 || m.Missing != nil {
		h.t.Fatal(m, err)
	}
	if len(m.Participants) == 0 {
		return stage.ParticipantMedia{}
	}
	return m.Participants[0]
}

func TestMediaOfAStageTellsWhatFlows(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	arn := h.Stage()
	host, viewer, other := h.Admit(arn), h.Admit(arn, stage.Subscribe), h.Admit(h.Stage())
	h.attend(other)
	_, sender := h.publish(host)
	h.subscribe(viewer, host.ParticipantID)
	h.Await("figures", func() bool {
		p, v := h.media(host).Publication, h.media(viewer).Subscriptions
		return p != nil && len(v) == 1 && flow(p) && flow(&v[0]) && p.RTT > 0
	}, func() any { return []stage.ParticipantMedia{h.media(host), h.media(viewer)} })
	m, err := h.Service.Media(t.Context(), h.Caller, arn, "")
	if err != nil || len(m.Participants) != 2 || m.Participants[0].ID > m.Participants[1].ID {
		t.Fatal(m, err)
	}
	p := h.media(host)
	if !p.Connected || p.Socket || !p.Publishing || !p.MayPublish || p.UserID != "somebody" || p.Publication.Progress != stage.Up || p.Subscriptions != nil {
		t.Errorf("the publisher: %+v", p)
	}
	if video := p.Publication.Streams[1]; video.Codec != "H264" || video.Width == 0 || video.FrameRate == 0 || video.KeyFrame.IsZero() {
		t.Errorf("its video: %+v", video)
	}
	v := h.media(viewer)
	if v.Publication != nil || v.MayPublish || v.Subscriptions[0].Publisher != host.ParticipantID || v.Subscriptions[0].Held {
		t.Errorf("the viewer: %+v", v)
	}
	sender.Close()
	h.await(host, "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT")
	if p := h.media(host); p.ID != "" {
		t.Errorf("who has left: %+v", p)
	}
	if all := h.Floor.InspectAll(t.Context()); !all[other.Stage].Participants[0].Socket {
		t.Errorf("on all stages: %+v", all)
	}
}

// flow tells that every stream of a leg does.
func flow(l *stage.MediaLeg) bool {
	for _, s := range l.Streams {
		if s.Bitrate == 0 || s.LastAt.IsZero() {
			return false
		}
	}
	return len(l.Streams) == 2
}

func TestAttemptsThatCameToNothingAreRemembered(t *testing.T) {
	t.Parallel()
	h := open(t, livetest.Setting{})
	a := h.Admit(h.Stage(), stage.Subscribe)
	began := time.Now()
	if _, _, err := h.Floor.Publish(h.Context(), a, stage.Client{}, livetest.Publisher(t).Offer()); err == nil {
		t.Fatal("published without leave")
	}
	b := h.Admit(a.Stage)
	if _, _, err := h.Floor.Publish(h.Context(), b, stage.Client{}, livetest.Publisher(t).Offer()); err != nil { // whose answer nobody gets
		t.Fatal(err)
	}
	if p := h.media(b); !p.Connected || p.Publication == nil || p.Publication.Progress != stage.Unreached || !p.MayPublish {
		t.Errorf("while it is waited for: %+v", p)
	}
	f := h.media(a).Failures
	if len(f) != 1 || f[0].Error != stage.InsufficientCapabilities || f[0].At.Before(began) {
		t.Errorf("a refusal: %+v", f)
	}
	for len(h.media(b).Failures) == 0 {
		if time.Since(began) > 3*livetest.Patience {
			t.Fatal("the engine waits for its peer still")
		}
		time.Sleep(100 * time.Millisecond)
	}
	f = h.media(b).Failures
	if len(f) != 1 || f[0].Progress != stage.Unreached || f[0].Error != "" || f[0].Publisher != "" {
		t.Errorf("a connection that never came up: %+v", f)
	}
	h.want(b, "JOINED", "LEFT")
}
