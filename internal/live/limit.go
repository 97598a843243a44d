package live

import (
	"time"

	"callboard/internal/sfu"
	"callboard/internal/stage"
)

// The quotas of what one leg carries. They are judged by what is measured, and by nothing
// that an offer promises.
const (
	publishBitrate    = "publish-bitrate"
	publishResolution = "publish-resolution"
	bFrames           = "b-frames"
	downloadBitrate   = "download-bitrate"
	mediaDuration     = "media-duration"
)

// weigh holds what a publication sent in a window against the quotas. A bitrate that is too high for one window only
// is let pass: encoders overshoot.
func (m *Media) weigh(load sfu.Load) {
	if m.ended || !m.up {
		return
	}
	p := m.owner
	lasting := min(load.Bitrate, m.bitrate)
	m.bitrate = load.Bitrate
	ours, aws := &p.floor.Quotas, &p.floor.AWS
	p.measured(m, publishBitrate, lasting, ours.PublishBitrate, aws.PublishBitrate, stage.BitrateExceeded)
	p.measured(m, publishResolution, lines(load.Width, load.Height), ours.PublishLines, aws.PublishLines, stage.ResolutionExceeded)
	reordered := 0
	if load.BFrames {
		reordered = 1
	}
	p.measured(m, bFrames, reordered, ours.BFrames, aws.BFrames, stage.BFramePresent)
}

// received holds what all subscriptions of the participant take against the quota. The engine keeps it; when it has no room for
// the video of one of them, that is an error of that subscription, which goes on with the audio.
func (m *Media) received(t sfu.Taken) {
	if m.ended {
		return
	}
	p := m.owner
	lasting := min(t.Bitrate, m.bitrate)
	if m.bitrate = t.Bitrate; m == p.longest() {
		p.hoard(lasting)
	}
	if t.Limited && !m.limited {
		p.recordError(m.admission, stage.Fact{Name: stage.SubscribeError, Remote: m.target, Error: stage.BitrateExceeded})
	}
	m.limited = t.Limited
}

// longest is the oldest subscription, which speaks for all.
func (p *participant) longest() (oldest *Media) {
	for m := range p.media {
		if m.target != "" && m.up && (oldest == nil || m.number < oldest.number) {
			oldest = m
		}
	}
	return oldest
}

// hoard tells when the participant receives more than the quota says, and when no longer.
func (p *participant) hoard(bitrate int) {
	d := p.measure(downloadBitrate, bitrate, p.floor.Quotas.DownloadBitrate)
	if over := d.Refused() || d.Over(int64(p.floor.AWS.DownloadBitrate)); over != p.hoards {
		p.hoards = over
		p.tellDemand(d)
	}
}

// lines is the short side of a picture, or what it would be at 16:9 if the long side is longer than that.
func lines(width, height int) int {
	return max(min(width, height), (max(width, height)*9+15)/16)
}

// watchTime has a leg judged when it has lasted for as long as a quota says.
func (p *participant) watchTime(m *Media) {
	since := time.Now()
	for _, limit := range [...]time.Duration{p.floor.Quotas.MediaDuration, p.floor.AWS.MediaDuration} {
		if limit > 0 {
			m.timers = append(m.timers, time.AfterFunc(limit+time.Millisecond, func() {
				p.post(func() {
					lasted := time.Since(since)
					p.measured(m, mediaDuration, int(lasted), int(p.floor.Quotas.MediaDuration), int(p.floor.AWS.MediaDuration), stage.StreamDurationExceeded)
				})
			}))
		}
	}
}

// measured tells when a leg passes a figure, or is within it again, and ends it if the figure is enforced.
func (p *participant) measured(m *Media, quota string, had, limit, aws int, code stage.ErrorCode) {
	if m.ended {
		return
	}
	d := p.measure(quota, had, limit)
	if over := d.Refused() || d.Over(int64(aws)); over != m.passed[quota] {
		if m.passed == nil {
			m.passed = make(map[string]bool)
		}
		m.passed[quota] = over
		p.tellDemand(d)
	}
	if d.Refused() {
		p.log.Info("media are ended for a quota", "quota", quota, "measured", had, "limit", limit, "publisher", m.target)
		m.fault = code
		p.floor.mishaps.note(p.key, stage.Failure{At: time.Now(), Publisher: m.target, Error: code})
		p.endMedia(m)
	}
}

func (p *participant) measure(quota string, had, limit int) stage.Demand {
	return stage.Demand{
		Quota: quota, Account: p.key.stage.Account, Region: p.key.stage.Region, Stage: p.key.stage,
		Participant: p.key.id, Had: had, Limit: limit, Measured: quota != bFrames, // of which one is too many
	}
}

func (p *participant) tellDemand(d stage.Demand) {
	if p.floor.Demanded != nil {
		p.floor.Demanded(d)
	}
}

// unmeasure is the end of what watchTime began and of every figure that is passed.
func (m *Media) unmeasure() {
	for _, t := range m.timers {
		t.Stop()
	}
	for quota, over := range m.passed {
		if over {
			m.owner.tellDemand(m.owner.measure(quota, 0, 0))
		}
	}
	m.timers, m.passed = nil, nil
}

// fell: audio or video of the publication has stopped or is heard again.
func (m *Media) fell(silent [2]bool) {
	m.silent = silent
	if m.started && !m.ended && m.owner.self != nil {
		m.owner.self.silence(m.publication, m.silent)
	}
}
