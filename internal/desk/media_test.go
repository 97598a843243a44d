package desk

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"callboard/internal/stage"
)

// busyFloor is a floor of which this is known.
type busyFloor struct {
	emptyFloor
	media stage.Media
	asked string
}

func (f *busyFloor) Inspect(_ context.Context, _ stage.ARN, id string) (stage.Media, error) {
	f.asked = id
	return f.media, nil
}

func TestMediaAreShownAsTheyWereMeasured(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.newStage()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	f := &busyFloor{media: stage.Media{Missing: []string{"p2"}, Participants: []stage.ParticipantMedia{{
		ID: "b", Connected: true, VideoStopped: true,
		Publication: &stage.MediaLeg{Progress: stage.Up, RTT: 1500 * time.Microsecond, Streams: []stage.MediaStream{
			{Kind: "audio", Codec: "opus", Bitrate: 1000, LastAt: now}, {Kind: "video", Codec: "VP8", Layer: "hi", Bitrate: 2000, Width: 640, Height: 360, Loss: .25},
		}},
		Failures: []stage.Failure{{At: now, Progress: stage.Checking}},
	}, {ID: "a", Subscriptions: []stage.MediaLeg{{Publisher: "b", Way: stage.Way{Takes: 300_000, Aim: "low", Lacks: 700_000, Paused: true, Chosen: true}}}}}}}
	w.service.UseFloor(f)
	var m media
	w.read("/stages/"+arn.ID+"/media?participant=b", &m)
	if m.Complete || m.Missing[0] != "p2" || f.asked != "b" || len(m.Participants) != 2 || m.Participants[0].ParticipantID != "a" {
		t.Errorf("%+v", m)
	}
	if l := m.Participants[0].Subscriptions[0]; l.State != "UNKNOWN" || l.StartTime != nil || l.RTTMs != nil {
		t.Errorf("%+v", l)
	}
	if w := m.Participants[0].Subscriptions[0].Way; w == nil || *w != (way{300_000, "low", true, true, false, 700_000}) {
		t.Errorf("%+v", w)
	}
	b := m.Participants[1]
	if b.Publication.Way != nil {
		t.Errorf("a publication has no subscriber to go to: %+v", b.Publication.Way)
	}
	if l := b.Publication; l.Bitrate != 3000 || *l.RTTMs != 1.5 || l.Streams[1].Layer != "hi" || l.Streams[1].Loss != .25 || !l.Streams[0].LastPacketTime.Equal(now) {
		t.Errorf("%+v", l)
	}
	if b.Failures[0].State != "CHECKING" || !b.VideoStopped {
		t.Errorf("%+v", b)
	}
}

func TestMediaOfAnUnknownStageAreNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if r := w.get("/stages/nowhere/media"); r.status != http.StatusNotFound {
		t.Error(r.status)
	}
	w.may(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"callboard:GetSession","Resource":"*"}]}`)
	if r := w.get("/stages/" + w.newStage().ID + "/media"); r.status != http.StatusForbidden || !strings.Contains(r.code(), "AccessDenied") {
		t.Error(r.status, r.code())
	}
}
