package stage

import (
	"fmt"
	"strings"
	"time"
)

const (
	silence = 5 * time.Second // without a packet, after which nothing flows
	badLoss = 0.05
)

// sayMedia says what the servers know of the participant's connections, in the order in which they come about.
func (q *inquest) sayMedia() {
	if q.media.Missing != nil {
		q.say("servers", Note, "Look at these servers; what is said below may be wrong.", "Not all servers answer: what %s knows is missing.", strings.Join(q.media.Missing, ", "))
	}
	if q.self.Busy {
		q.say("servers", Problem, "See whether the database is slow, or cannot be written to.", "The server that has the participant is still writing down what it did.")
		return
	}
	q.sayFailures()
	q.sayPresence()
	q.sayPublication()
	q.saySubscriptions()
	q.sayAudience()
}

// sayFailures tells of connections that never came up, which are no events, and of refusals that are not on record.
func (q *inquest) sayFailures() {
	for _, f := range q.self.Failures {
		what, up := "publish", q.self.Publication != nil && q.self.Publication.Progress == Up
		if f.Publisher != "" {
			what, up = "subscribe to "+f.Publisher, q.receives(f.Publisher)
		}
		if f.Error != "" && q.recorded(f.Error) {
			continue
		}
		finding, tail := Problem, ""
		if up {
			finding, tail = Note, " It is connected by now."
		}
		text, advice := unconnected(f.Progress)
		if f.Error != "" {
			text, advice = meaning(f.Error)
			q.say("attempts", finding, advice, "Its attempt %s ago to %s was refused with %s: %s.%s", q.ago(f.At), what, f.Error, text, tail)
			continue
		}
		q.say("attempts", finding, advice, "Its attempt to %s was given up %s ago: %s.%s", what, q.ago(f.At), text, tail)
	}
}

func (q *inquest) recorded(code ErrorCode) bool {
	for _, e := range q.events {
		if e.Error == code {
			return true
		}
	}
	return false
}

func (q *inquest) receives(publisher string) bool {
	for _, l := range q.self.Subscriptions {
		if l.Publisher == publisher {
			return l.Progress == Up
		}
	}
	return false
}

// unconnected says why a connection is not up.
func unconnected(p Progress) (text, advice string) {
	switch p {
	case Unreached:
		return "no ICE check has come from the client, so nothing of it reaches the media port",
			"Let UDP through to the media port (setting media), and announce an address that the client can reach (media-ip); TCP to the same port, or turn, help where UDP is closed."
	case Checking:
		return "ICE checks come from the client, but it does not answer those of the server",
			"Something lets packets in and not out again: look at firewalls and address translation between server and client."
	case Handshakes:
		return "ICE has found the client, but the DTLS handshake has not come to its end",
			"Large packets may get lost on the way (the MTU), or the client has stopped."
	case Broken:
		return "the DTLS handshake has failed, most often because the certificate is not the one of the offer",
			"Send the offer of the very connection that the answer is given to."
	}
	return "the server that carries it does not tell how far it has come", ""
}

func (q *inquest) sayPresence() {
	switch {
	case q.self.Socket:
		q.say("presence", Fine, "", "It has a presence socket, so it sees who is there.")
	case q.self.Connected:
		q.say("presence", Note, "", "It has no presence socket: WHIP and WHEP need none, but an SDK does, to see who publishes.")
	case q.row != nil && q.row.Connected:
		q.say("presence", Problem, "Wait for a few seconds and ask again.", "It is listed as connected, but no server has a connection of this participant: it is about to leave or to come.")
	default:
		q.say("presence", Note, "", "It has no connection of any kind now.")
	}
}

func (q *inquest) sayPublication() {
	l := q.self.Publication
	switch {
	case l == nil:
		q.sayNoPublication()
	case l.Progress != Up:
		text, advice := unconnected(l.Progress)
		q.say("publication", Problem, advice, "It has offered to publish %s ago, but %s.", q.ago(l.Made), text)
	default:
		q.sayFlow(l)
	}
}

func (q *inquest) sayNoPublication() {
	stopped := ""
	if e := q.last(PublishStopped); e != nil {
		stopped = "; it stopped at " + when(e.At)
	}
	limit := q.service.quotas.PublishersPerStage
	publishers := 0
	for _, p := range q.media.Participants {
		if p.Publication != nil {
			publishers++
		}
	}
	switch {
	case !q.self.Connected:
		q.say("publication", Note, "", "It does not publish%s.", stopped)
	case !q.self.MayPublish:
		q.say("publication", Note, "If it is to publish, give it a token with the capability PUBLISH.", "It does not publish, and its token does not allow it.")
	case limit > 0 && publishers >= limit:
		q.say("publication", Problem, "Have somebody stop, or raise the quota publishers-per-stage.", "It does not publish, and could not: the stage has all the %d publishers that its quota allows.", limit)
	default:
		q.say("publication", Note, "If it is to publish, see why the client does not ask: it has to POST an offer to the WHIP endpoint.", "It may publish, but it has no publication%s.", stopped)
	}
}

// sayFlow tells what comes in on a connection that is up.
func (q *inquest) sayFlow(l *MediaLeg) {
	var came, keyed, video bool
	var parts []string
	loss := 0.0
	for _, s := range l.Streams {
		came = came || !s.LastAt.IsZero()
		video = video || s.Kind == "video" && !s.LastAt.IsZero()
		keyed = keyed || !s.KeyFrame.IsZero()
		loss = max(loss, s.Loss)
		if q.flows(s) {
			parts = append(parts, s.text())
		}
	}
	switch {
	case !came:
		q.say("publication", Problem, "Look at the client: is there a track, is the camera on, does the encoder run?", "Its connection to publish is up since %s, but not one media packet has come.", when(l.Connected))
		return
	case video && !keyed:
		q.say("publication", Problem, "Have the encoder send a key frame every one or two seconds, and when it is asked (RTCP PLI).", "Video packets come, but there has been no key frame, so nobody can show them.")
	case parts == nil:
		q.say("publication", Problem, "Look at the client and its network: it has stopped sending.", "Its connection to publish is up, but nothing has come for %s.", q.ago(latestOf(l)))
	default:
		q.say("publication", Fine, "", "It publishes %s.", strings.Join(parts, ", "))
	}
	q.sayMuted(l, parts != nil)
	if loss > badLoss {
		q.say("publication", Problem, "The client's upload is too slow or disturbed: lower its bitrate.", "%.0f %% of its packets are lost on the way to the server.", 100*loss)
	}
}

// sayMuted tells of what does not come, which others see as muted.
func (q *inquest) sayMuted(l *MediaLeg, anything bool) {
	for _, k := range [...]struct {
		kind  string
		muted bool
	}{{"audio", q.self.AudioMuted}, {"video", q.self.VideoStopped}} {
		flows, agreed := false, false
		for _, s := range l.Streams {
			agreed = agreed || s.Kind == k.kind
			flows = flows || s.Kind == k.kind && q.flows(s)
		}
		switch {
		case flows && k.muted:
			q.say("publication", Note, "", "Its %s is muted: the client says so, and others show it so.", k.kind)
		case agreed && k.muted && anything:
			q.say("publication", Note, "", "No %s comes from it: others see it as muted.", k.kind)
		}
	}
}

func latestOf(l *MediaLeg) (last time.Time) {
	for _, s := range l.Streams {
		last = latest(last, s.LastAt)
	}
	return last
}

// flows tells whether packets come. A reading may be a second old.
func (q *inquest) flows(s MediaStream) bool {
	return !s.LastAt.IsZero() && q.media.At.Sub(s.LastAt) < silence
}

// text is the stream in a few words.
func (s MediaStream) text() string {
	words := s.Codec
	if s.Layer != "" {
		words += " " + s.Layer
	}
	if s.Width > 0 {
		words += fmt.Sprintf(" %dx%d", s.Width, s.Height)
	}
	if s.FrameRate >= 0.5 {
		words += fmt.Sprintf(" at %.0f frames/s", s.FrameRate)
	}
	return fmt.Sprintf("%s (%d kbps)", words, kilobits(s.Bitrate))
}

func (q *inquest) saySubscriptions() {
	for i := range q.self.Subscriptions {
		q.saySubscription(&q.self.Subscriptions[i])
	}
	var others []string
	for _, p := range q.media.Participants {
		if p.ID != q.ParticipantID && p.Publishing && !q.subscribed(p.ID) {
			others = append(others, p.ID)
		}
	}
	switch {
	case !q.self.Connected || others == nil:
	case !q.self.MaySubscribe:
		q.say("subscriptions", Note, "If it is to see others, give it a token with the capability SUBSCRIBE.", "It receives nobody, because its token does not allow it.")
	default:
		q.say("subscriptions", Note, "If it is to see them, see why the client does not ask: it has to POST an offer to the WHEP endpoint of each.", "It has not subscribed to %s, who %s.", names(others), publish(len(others)))
	}
}

func (q *inquest) subscribed(publisher string) bool {
	for _, l := range q.self.Subscriptions {
		if l.Publisher == publisher {
			return true
		}
	}
	return false
}

func (q *inquest) saySubscription(l *MediaLeg) {
	const about = "subscriptions"
	if l.Progress != Up {
		text, advice := unconnected(l.Progress)
		q.say(about, Problem, advice, "Its subscription to %s is not up: %s.", l.Publisher, text)
		return
	}
	if l.Held {
		q.say(about, Note, "", "It waits for %s, who has stopped publishing, to go on; after ten seconds the subscription ends.", l.Publisher)
		return
	}
	q.sayWay(l)
	var parts []string
	for _, s := range l.Streams {
		switch {
		case s.Kind == "video" && l.AudioOnly:
		case s.Waits && s.LastAt.IsZero():
			q.say(about, Problem, "See why the publisher sends none: explain "+l.Publisher+".", "It sees nothing of %s yet: its video waits for a key frame.", l.Publisher)
		case s.Waits:
			q.say(about, Note, "", "Its video of %s is about to change to layer %q, and waits for a key frame of that.", l.Publisher, s.Awaited)
		}
		if q.flows(s) {
			parts = append(parts, s.text())
		}
		if s.Reported && s.Loss > badLoss {
			q.say(about, Problem, l.Way.adviceOnLoss(), "It loses %.0f %% of the %s of %s, by its own reports.", 100*s.Loss, s.Kind, l.Publisher)
		}
	}
	only := ""
	if l.AudioOnly {
		only = ", audio only, as it asked"
	}
	if parts == nil && !l.Way.Paused {
		q.say(about, Problem, "See whether the publisher sends: explain "+l.Publisher+".", "Its subscription to %s is up, but nothing is sent to it%s.", l.Publisher, only)
		return
	}
	if parts != nil {
		q.say(about, Fine, "", "It receives %s from %s%s.", strings.Join(parts, ", "), l.Publisher, only)
	}
}

// sayWay tells for what the bandwidth is too low, by what the way to the subscriber is known to take.
func (q *inquest) sayWay(l *MediaLeg) {
	const about = "subscriptions"
	w, takes, lacks := l.Way, kilobits(l.Way.Takes), kilobits(l.Way.Lacks)
	layer := ""
	if w.Aim != "" {
		layer = fmt.Sprintf(" layer %q", w.Aim)
	}
	switch {
	case l.AudioOnly:
	case w.Limited && w.Paused:
		q.say(about, Problem, "Have it subscribe to fewer at a time, or publishers send low layers (simulcast), or raise the quota in the file of --quotas.", "The quota download-bitrate has no room for the video of %s, which is paused: with it, all that it receives would need %d kbps.", l.Publisher, lacks)
	case w.Limited:
		q.say(about, Note, "If it is to see more, have it subscribe to fewer at a time, or raise the quota.", "The quota download-bitrate has no room for more of %s than%s: with the next layer, all that it receives would need %d kbps.", l.Publisher, layer, lacks)
	case w.Paused && w.Lacks == 0:
		q.say(about, Problem, "Wait until the publisher sends video again.", "Its bandwidth was too low for the video of %s, which is paused.", l.Publisher)
	case w.Paused:
		q.say(about, Problem, "It needs a better network, or the publisher has to send less, best as a low layer (simulcast).", "Its bandwidth is too low for the video of %s, which is paused so that audio gets through: the way to it takes about %d kbps, and with the least there is all that it receives needs %d.", l.Publisher, takes, lacks)
	case w.Lacks > 0 && w.Chosen:
		q.say(about, Problem, "Have it choose a lower layer, or leave the choice to the server.", "Its bandwidth is too low for what it has chosen of %s%s: all that it receives needs %d kbps, and the way to it takes about %d.", l.Publisher, layer, lacks, takes)
	case w.Lacks > 0:
		q.say(about, Note, "If it is to see more, it needs a better network.", "Its bandwidth is too low for more of %s than%s: with the next layer all that it receives needs %d kbps, and the way to it takes about %d.", l.Publisher, layer, lacks, takes)
	}
}

// adviceOnLoss tells whether packets are lost for want of bandwidth.
func (w Way) adviceOnLoss() string {
	switch {
	case !w.Limited && (w.Paused || w.Lacks > 0):
		return "This comes of the bandwidth, which is too low: see above."
	case w.Takes > 0:
		return fmt.Sprintf("The bandwidth is not too low, for the way to it is known to take %d kbps: something disturbs it, such as bad radio.", kilobits(w.Takes))
	}
	return "The way to it is too narrow or disturbed, and the client does not report enough to tell which: have it ask for a lower layer, or the publisher send less."
}

func kilobits(n int) int { return (n + 500) / 1000 }

// sayAudience tells who receives what the participant publishes, and why the others do not.
func (q *inquest) sayAudience() {
	if !q.self.Publishing {
		return
	}
	var watching, asked, barred, idle []string
	for _, p := range q.media.Participants {
		if p.ID == q.ParticipantID || !p.Connected {
			continue
		}
		switch i := legTo(p, q.ParticipantID); {
		case i != nil && i.Progress == Up:
			watching = append(watching, p.ID)
		case i != nil:
			asked = append(asked, p.ID)
		case !p.MaySubscribe:
			barred = append(barred, p.ID)
		default:
			idle = append(idle, p.ID)
		}
	}
	if len(watching)+len(asked)+len(barred)+len(idle) == 0 {
		q.say("audience", Note, "", "Nobody else is connected to the stage.")
	}
	if watching != nil {
		q.say("audience", Fine, "", "It is received by %s.", names(watching))
	}
	if asked != nil {
		q.say("audience", Problem, "Explain each of them.", "It is not received yet by %s, whose connection is not up.", names(asked))
	}
	if barred != nil {
		q.say("audience", Note, "", "It is not received by %s, whose token does not allow to subscribe.", names(barred))
	}
	if idle != nil {
		q.say("audience", Note, "Their clients have to subscribe; the presence socket tells them who publishes.", "It is not received by %s, who may subscribe but did not ask.", names(idle))
	}
}

func legTo(p ParticipantMedia, publisher string) *MediaLeg {
	for i := range p.Subscriptions {
		if p.Subscriptions[i].Publisher == publisher {
			return &p.Subscriptions[i]
		}
	}
	return nil
}

// maxNames is how many are named in one sentence.
const maxNames = 8

func names(ids []string) string {
	if more := len(ids) - maxNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:maxNames], ", "), more)
	}
	return strings.Join(ids, ", ")
}

func publish(n int) string {
	if n == 1 {
		return "publishes"
	}
	return "publish"
}

// ago is how long ago something was.
func (q *inquest) ago(t time.Time) string {
	d := max(0, q.media.At.Sub(t))
	if d < time.Minute {
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return fmt.Sprintf("%d min", int(d.Minutes()))
}
