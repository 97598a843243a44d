package sfu

import (
	"slices"
	"time"

	"github.com/pion/rtcp"
)

// What a publisher is told about what it sends: which packets are missing, how the streams fare
// (RFC 3550, section 6.4), and when packets came (transport-wide congestion control).

const (
	arrivalInterval = 100 * time.Millisecond // between reports of arrival times
	nackDelay       = 20 * time.Millisecond  // for which a missing packet may just be late
	nackRetry       = 100 * time.Millisecond
	maxNACKs        = 10  // for one packet
	maxMissing      = 512 // packets of a stream
)

// reception is how one incoming stream fares.
type reception struct {
	rate    uint32 // of the timestamps
	begun   bool
	first   int64 // sequence numbers with what they overflowed
	highest int64
	came    int64
	missing []gap // ordered

	transit int64 // of the last packet, in ticks, against an arbitrary zero
	jitter  float64

	expectedThen, cameThen int64 // at the last report
	sent                   uint32
	sentAt                 time.Time // when the publisher's report came
}

// gap is a missing packet.
type gap struct {
	seq   int64
	asked int
	next  time.Time
}

// note takes a packet that came in the stream itself.
func (r *reception) note(seq uint16, ts uint32, at time.Time) {
	r.came++
	transit := int64(uint32(at.UnixNano()/1000*int64(r.rate)/1_000_000) - ts)
	if !r.begun {
		r.begun, r.first, r.highest, r.transit = true, int64(seq), int64(seq), transit
		return
	}
	if d := int64(int32(transit - r.transit)); d != 0 {
		r.jitter += (float64(max(d, -d)) - r.jitter) / 16
	}
	r.transit = transit
	i := r.highest + int64(int16(seq-uint16(r.highest)))
	if i <= r.highest {
		r.found(seq)
		return
	}
	for lost := max(r.highest+1, i-maxMissing); lost < i; lost++ {
		r.missing = append(r.missing, gap{seq: lost, next: at.Add(nackDelay)})
	}
	if surplus := len(r.missing) - maxMissing; surplus > 0 {
		r.missing = slices.Delete(r.missing, 0, surplus)
	}
	r.highest = i
}

// found strikes a packet off the list of those missing.
func (r *reception) found(seq uint16) {
	i := r.highest + int64(int16(seq-uint16(r.highest)))
	r.missing = slices.DeleteFunc(r.missing, func(g gap) bool { return g.seq == i })
}

// asks lists what is to be asked for now, and tells how long until something may be again; 0 means never.
func (r *reception) asks(now time.Time) (due []uint16, wait time.Duration) {
	for i := range r.missing {
		g := &r.missing[i]
		if !now.Before(g.next) {
			due = append(due, uint16(g.seq))
			g.asked++
			g.next = now.Add(nackRetry)
		}
		if w := g.next.Sub(now); wait == 0 || w < wait {
			wait = w
		}
	}
	r.missing = slices.DeleteFunc(r.missing, func(g gap) bool { return g.asked == maxNACKs })
	return due, wait
}

// reported takes a report of the publisher's.
func (r *reception) reported(ntp uint64, now time.Time) {
	r.sent, r.sentAt = uint32(ntp>>16), now
}

// report tells how the stream fared since the last one.
func (r *reception) report(ssrc uint32, now time.Time) rtcp.ReceptionReport {
	expected := r.highest - r.first + 1
	interval, came := expected-r.expectedThen, r.came-r.cameThen
	r.expectedThen, r.cameThen = expected, r.came
	out := rtcp.ReceptionReport{
		SSRC: ssrc, LastSequenceNumber: uint32(r.highest), Jitter: uint32(r.jitter),
		TotalLost: uint32(min(max(expected-r.came, 0), 1<<23-1)),
	}
	if lost := interval - came; interval > 0 && lost > 0 {
		out.FractionLost = uint8(min(lost*256/interval, 255))
	}
	if !r.sentAt.IsZero() {
		out.LastSenderReport = r.sent
		out.Delay = uint32(now.Sub(r.sentAt).Seconds() * 65536)
	}
	return out
}

// feedback sends what is due and tells how long until something is again.
func (p *Publication) feedback(now time.Time) time.Duration {
	next := time.Hour
	var reports []rtcp.ReceptionReport
	full := !now.Before(p.reportDue)
	for _, s := range p.sources {
		if s.again {
			continue
		}
		if full {
			reports = append(reports, s.layer.reception.report(s.ssrc, now))
		}
		due, wait := s.layer.reception.asks(now)
		if len(due) > 0 && s.layer.track.wantsNACK {
			p.send(&rtcp.TransportLayerNack{SenderSSRC: p.ssrc, MediaSSRC: s.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(due)})
		}
		if wait > 0 {
			next = min(next, wait)
		}
	}
	if full {
		p.reportDue = now.Add(reportInterval)
		if len(reports) > 0 {
			p.send(&rtcp.ReceiverReport{SSRC: p.ssrc, Reports: reports})
		}
	}
	if p.arrivals.PacketsHeld() > 0 {
		if !now.Before(p.arrivalsDue) {
			p.arrivalsDue = now.Add(arrivalInterval)
			p.send(p.arrivals.BuildFeedbackPacket()...)
		}
		next = min(next, p.arrivalsDue.Sub(now))
	}
	return min(next, p.reportDue.Sub(now))
}

func (p *Publication) send(packets ...rtcp.Packet) {
	if err := p.link.sendReports(packets...); err != nil {
		p.engine.log.Debug("feedback", "error", err)
	}
}
