package stage_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/internal/stage"
)

// explain gives the sentences about a participant, each with its finding and advice.
func (w *world) explain(arn stage.ARN, id string) []string {
	w.t.Helper()
	e, err := w.Explain(w.t.Context(), w.caller, arn, id)
	w.check(err)
	return told(e)
}

func told(e stage.Explanation) (all []string) {
	for _, s := range e.Sentences {
		all = append(all, string(s.Finding)+" "+s.About+": "+s.Text)
		if (s.Finding == stage.Problem) && s.Advice == "" {
			all = append(all, "no advice for: "+s.Text)
		}
	}
	return all
}

// wants fails unless exactly these sentences were told, each of which holds all parts of one line, which
// are separated by bars.
func wants(t *testing.T, got []string, want ...string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) {
			t.Errorf("there are %d sentences, not %d:\n\t%s", len(got), len(want), strings.Join(got, "\n\t"))
			return
		}
		for part := range strings.SplitSeq(want[i], "|") {
			if !strings.Contains(got[i], part) {
				t.Errorf("sentence %d is\n\t%s\nwithout %q; all are\n\t%s", i+1, got[i], part, strings.Join(got, "\n\t"))
			}
		}
	}
}

const absent = "NOTE presence: It has no connection"

func TestAnExplanationBeginsWithWhatCannotWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.stage()
	wants(t, w.explain(arn, "nobody"), "PROBLEM token: No token for participant nobody", "NOTE session: The stage has had no session", absent, "NOTE publication: It does not publish.")
	a := w.token(arn, "ann")
	wants(t, w.explain(arn, a.ParticipantID), "OK token: |good until", "NOTE session: ", absent, "NOTE publication: ")
	ann := w.enter(a.JWT)
	b := w.token(arn, "bob")
	wants(t, w.explain(arn, b.ParticipantID), "OK token: ", "OK session: |1 participant connected", "PROBLEM roll: It has not joined the live session", absent, "NOTE publication")
	w.record(ann, stage.PublishStarted, stage.PublishStopped, stage.Left)
	wants(t, w.explain(arn, a.ParticipantID), "OK token: ", "OK session: ", "PROBLEM roll: It is DISCONNECTED: it left the live session at", absent, "NOTE publication: It does not publish; it stopped at")
	w.pass(time.Hour)
	w.check(w.Sweep(t.Context()))
	wants(t, w.explain(arn, b.ParticipantID), "OK token: ", "NOTE session: The stage has no live session; the last one, "+ann.SessionID, "NOTE roll: It has not joined that session", absent, "NOTE publication")
	w.pass(24 * time.Hour)
	wants(t, w.explain(arn, b.ParticipantID), "PROBLEM token: |expired|TOKEN_EXPIRED", "NOTE session", "NOTE roll", absent, "NOTE publication")
	gone := stage.ARN{Region: arn.Region, Account: arn.Account, Type: arn.Type, ID: "gone"}
	wants(t, w.explain(gone, "nobody"), "PROBLEM stage: |does not exist|STAGE_DELETED")
}

func TestAnExplanationTellsWhoIsBarred(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.stage()
	a := w.token(arn, "ann")
	w.enter(a.JWT)
	w.check(w.Disconnect(t.Context(), w.caller, arn, a.ParticipantID, ""))
	if got := w.explain(arn, a.ParticipantID); !strings.HasPrefix(got[0], "PROBLEM token: The participant was disconnected by DisconnectParticipant") {
		t.Error(got)
	}
	e, err := w.ExplainToken(t.Context(), w.caller, arn, a.JWT)
	w.check(err)
	if got := told(e); !strings.HasPrefix(got[0], "PROBLEM token: A new connection with this token is refused with PARTICIPANT_DISCONNECTED") || e.ParticipantID != a.ParticipantID {
		t.Error(got)
	}
}

func TestATokenIsJudgedBeforeItsParticipantIsExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn, other := w.stage(), w.stage()
	judge := func(jwt string) []string {
		e, err := w.ExplainToken(t.Context(), w.caller, arn, jwt)
		w.check(err)
		for _, s := range e.Sentences {
			if strings.Contains(s.Text, jwt) {
				t.Error("the token is repeated")
			}
		}
		return told(e)
	}
	a := w.token(arn, "ann")
	wants(t, judge(a.JWT), "OK token: The token holds until|to publish and to subscribe", "NOTE session", absent, "NOTE publication")
	wants(t, judge("no.such.token"), "PROBLEM token: The token does not hold|TOKEN_MALFORMED")
	wants(t, judge(w.token(other, "ann").JWT), "PROBLEM token: The token is for another stage")
	forged := a.JWT[:len(a.JWT)-8] + "AAAAAAAA"
	wants(t, judge(forged), "PROBLEM token: A new connection|TOKEN_MALFORMED|signature", "NOTE session", absent, "NOTE publication")
	w.pass(13 * time.Hour)
	wants(t, judge(a.JWT), "PROBLEM token: |TOKEN_EXPIRED", "NOTE session", absent, "NOTE publication")
}

func TestErrorsAreExplainedUntilWhatFailedWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.stage()
	a := w.token(arn, "ann")
	ann := w.enter(a.JWT)
	fact := func(name stage.EventName, remote string, code stage.ErrorCode) {
		w.check(w.Record(t.Context(), ann, stage.Fact{Name: name, Remote: remote, Error: code}))
	}
	fact(stage.PublishError, "", stage.ResolutionExceeded)
	fact(stage.SubscribeError, "bob", stage.PublisherNotFound)
	fact(stage.SubscribeStarted, "bob", "")
	fact(stage.PublishError, "", stage.ResolutionExceeded)
	wants(t, w.explain(arn, a.ParticipantID), "OK token", "OK session", "OK roll: It is CONNECTED since",
		"PROBLEM errors: |publish failed with RESOLUTION_EXCEEDED|larger than", "NOTE errors: |subscribe to bob|PUBLISHER_NOT_FOUND|It has worked since",
		"PROBLEM presence: It is listed as connected, but no server has", "NOTE publication")
	late := w.token(arn, "late")
	w.check(w.Refuse(t.Context(), w.show(late.JWT), stage.Fact{Name: stage.JoinError, Error: stage.InternalServerException}))
	wants(t, w.explain(arn, late.ParticipantID), "OK token", "OK session", "PROBLEM roll: It has not joined", "PROBLEM errors: |join failed with INTERNAL_SERVER_EXCEPTION|the server failed", absent, "NOTE publication")
	w.enter(late.JWT)
	wants(t, w.explain(arn, late.ParticipantID), "OK token", "OK session", "OK roll", "NOTE errors: |join failed|It has worked since", "PROBLEM presence", "NOTE publication")
	for _, code := range []stage.ErrorCode{
		stage.InsufficientCapabilities, stage.QuotaExceeded, stage.PublisherNotFound, stage.BitrateExceeded, stage.ResolutionExceeded,
		stage.StreamDurationExceeded, stage.InvalidVideoCodec, stage.InvalidAudioCodec, stage.BFramePresent, stage.InternalServerException,
	} {
		fact(stage.PublishError, "", code)
		if got := strings.Join(w.explain(arn, a.ParticipantID), "\n"); !strings.Contains(got, "PROBLEM errors: ") || !strings.Contains(got, "failed with "+string(code)+": ") {
			t.Errorf("%s: %s", code, got)
		}
	}
}

// noon is when media are looked at.
var noon = time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)

// scene is a floor with one participant of interest, who is on the roll.
func scene(t *testing.T, self stage.ParticipantMedia, others ...stage.ParticipantMedia) []string {
	t.Helper()
	w := newWorld(t)
	arn := w.stage()
	a := w.token(arn, "ann")
	w.enter(a.JWT)
	self.ID = a.ParticipantID
	for i := range others {
		for j := range others[i].Subscriptions {
			if others[i].Subscriptions[j].Publisher == "" {
				others[i].Subscriptions[j].Publisher = a.ParticipantID
			}
		}
	}
	w.floor.media = stage.Media{At: noon, Participants: append(others, self)}
	return w.explain(arn, a.ParticipantID)[3:] // what is before is on record
}

func TestConnectionsThatAreNotUpAreExplained(t *testing.T) {
	t.Parallel()
	for p, text := range map[stage.Progress]string{
		stage.Unreached: "no ICE check has come", stage.Checking: "does not answer those of the server",
		stage.Handshakes: "DTLS handshake has not come to its end", stage.Broken: "DTLS handshake has failed",
	} {
		leg := &stage.MediaLeg{Progress: p, Made: noon.Add(-7 * time.Second)}
		wants(t, scene(t, stage.ParticipantMedia{Connected: true, Socket: true, MayPublish: true, Publication: leg}),
			"OK presence", "PROBLEM publication: It has offered to publish 7 s ago, but |"+text)
		wants(t, scene(t, stage.ParticipantMedia{Connected: true, Subscriptions: []stage.MediaLeg{{Publisher: "bob", Progress: p}}}),
			"NOTE presence: It has no presence socket", "NOTE publication: |does not allow", "PROBLEM subscriptions: Its subscription to bob is not up: |"+text)
		wants(t, scene(t, stage.ParticipantMedia{Connected: true, Socket: true, MayPublish: true, Failures: []stage.Failure{{At: noon.Add(-2 * time.Minute), Progress: p}}}),
			"PROBLEM attempts: Its attempt to publish was given up 2 min ago: |"+text, "OK presence", "NOTE publication: It may publish, but it has no publication")
	}
	up := &stage.MediaLeg{Progress: stage.Up, Streams: []stage.MediaStream{{Kind: "audio", Codec: "opus", LastAt: noon}}}
	wants(t, scene(t, stage.ParticipantMedia{Connected: true, Socket: true, Publication: up, Failures: []stage.Failure{{At: noon, Progress: stage.Unreached}, {At: noon.Add(-time.Second), Error: stage.QuotaExceeded}}}),
		"NOTE attempts: |It is connected by now", "NOTE attempts: |refused with QUOTA_EXCEEDED|It is connected by now", "OK presence", "OK publication")
	wants(t, scene(t, stage.ParticipantMedia{Failures: []stage.Failure{{At: noon, Publisher: "bob", Error: stage.QuotaExceeded}}}),
		"PROBLEM attempts: |subscribe to bob was refused with QUOTA_EXCEEDED", "PROBLEM presence", "NOTE publication")
}

func TestWhatAPublicationLacksIsExplained(t *testing.T) {
	t.Parallel()
	audio := stage.MediaStream{Kind: "audio", Codec: "opus", Bitrate: 40_000, LastAt: noon}
	video := stage.MediaStream{Kind: "video", Codec: "H264", Bitrate: 1_500_000, Width: 1280, Height: 720, FrameRate: 29.9, LastAt: noon, KeyFrame: noon}
	with := func(change func(*stage.ParticipantMedia), streams ...stage.MediaStream) []string {
		p := stage.ParticipantMedia{
			Connected: true, Socket: true, MayPublish: true, MaySubscribe: true,
			Publication: &stage.MediaLeg{Progress: stage.Up, Connected: noon.Add(-time.Minute), Streams: streams},
		}
		if change != nil {
			change(&p)
		}
		return scene(t, p)
	}
	wants(t, with(nil, audio, video), "OK presence", "OK publication: It publishes opus (40 kbps), H264 1280x720 at 30 frames/s (1500 kbps)")
	wants(t, with(nil, stage.MediaStream{Kind: "video"}), "OK presence", "PROBLEM publication: Its connection to publish is up since|not one media packet")
	wants(t, with(nil), "OK presence", "PROBLEM publication: |not one media packet")
	unkeyed, lost, old := video, video, video
	unkeyed.KeyFrame, lost.Loss, old.LastAt = time.Time{}, 0.2, noon.Add(-9*time.Second)
	wants(t, with(nil, audio, unkeyed), "OK presence", "PROBLEM publication: |no key frame, so nobody")
	wants(t, with(nil, audio, lost), "OK presence", "OK publication", "PROBLEM publication: 20 % of its packets are lost")
	wants(t, with(nil, old), "OK presence", "PROBLEM publication: |nothing has come for 9 s")
	wants(t, with(func(p *stage.ParticipantMedia) { p.VideoStopped = true }, audio, old), "OK presence", "OK publication: It publishes opus (40 kbps).", "NOTE publication: No video comes from it")
	wants(t, with(func(p *stage.ParticipantMedia) { p.AudioMuted = true }, audio, video), "OK presence", "OK publication", "NOTE publication: Its audio is muted: the client says so")
	hi := video
	hi.Layer = "hi"
	wants(t, with(nil, hi), "OK presence", "OK publication: It publishes H264 hi 1280x720")
}

func TestWhatASubscriberDoesNotGetIsExplained(t *testing.T) {
	t.Parallel()
	audio := stage.MediaStream{Kind: "audio", Codec: "opus", Bitrate: 40_000, LastAt: noon}
	bob := stage.ParticipantMedia{ID: "bob", Connected: true, Publishing: true, MaySubscribe: true}
	with := func(l stage.MediaLeg) []string {
		l.Publisher, l.Progress = "bob", stage.Up
		got := scene(t, stage.ParticipantMedia{Connected: true, Socket: true, MaySubscribe: true, Subscriptions: []stage.MediaLeg{l}}, bob)
		return got[2:] // presence, publication
	}
	wants(t, with(stage.MediaLeg{Streams: []stage.MediaStream{audio}}), "OK subscriptions: It receives opus (40 kbps) from bob")
	wants(t, with(stage.MediaLeg{Held: true}), "NOTE subscriptions: It waits for bob, who has stopped publishing")
	wants(t, with(stage.MediaLeg{}), "PROBLEM subscriptions: |nothing is sent to it")
	wants(t, with(stage.MediaLeg{AudioOnly: true, Streams: []stage.MediaStream{audio, {Kind: "video", Waits: true}}}), "OK subscriptions: |audio only, as it asked")
	wants(t, with(stage.MediaLeg{Streams: []stage.MediaStream{audio, {Kind: "video", Waits: true}}}), "PROBLEM subscriptions: |waits for a key frame", "OK subscriptions")
	wants(t, with(stage.MediaLeg{Streams: []stage.MediaStream{{Kind: "video", Codec: "VP8", LastAt: noon, Waits: true, Awaited: "hi"}}}), "NOTE subscriptions: |about to change to layer \"hi\"", "OK subscriptions")
	lossy := audio
	lossy.Reported, lossy.Loss = true, 0.3
	wants(t, with(stage.MediaLeg{Streams: []stage.MediaStream{lossy}}), "PROBLEM subscriptions: It loses 30 % of the audio of bob", "OK subscriptions")

	narrow := stage.Way{Takes: 300_400, Lacks: 750_000, Aim: "low"}
	wants(t, with(stage.MediaLeg{Way: narrow, Streams: []stage.MediaStream{audio}}), `NOTE subscriptions: Its bandwidth is too low for more of bob than layer "low": with the next layer all that it receives needs 750 kbps|takes about 300`, "OK subscriptions")
	narrow.Chosen, narrow.Aim = true, "hi"
	wants(t, with(stage.MediaLeg{Way: narrow, Streams: []stage.MediaStream{audio}}), `PROBLEM subscriptions: Its bandwidth is too low for what it has chosen of bob layer "hi"|needs 750 kbps|takes about 300`, "OK subscriptions")
	limited := stage.Way{Takes: 9_000_000, Lacks: 9_100_000, Aim: "low", Limited: true}
	wants(t, with(stage.MediaLeg{Way: limited, Streams: []stage.MediaStream{audio}}), `NOTE subscriptions: The quota download-bitrate has no room for more of bob than layer "low"|would need 9100 kbps`, "OK subscriptions")
	limited.Paused = true
	wants(t, with(stage.MediaLeg{Way: limited, Streams: []stage.MediaStream{audio}}), "PROBLEM subscriptions: The quota download-bitrate has no room for the video of bob, which is paused", "OK subscriptions")
	paused := stage.MediaLeg{Way: stage.Way{Takes: 100_000, Lacks: 250_000, Paused: true}, Streams: []stage.MediaStream{audio}}
	wants(t, with(paused), "PROBLEM subscriptions: Its bandwidth is too low for the video of bob, which is paused|takes about 100 kbps|needs 250", "OK subscriptions")
	paused.Streams[0].LastAt, paused.Way.Lacks = time.Time{}, 0
	wants(t, with(paused), "PROBLEM subscriptions: Its bandwidth was too low")
	paused.AudioOnly, paused.Streams = true, []stage.MediaStream{audio}
	wants(t, with(paused), "OK subscriptions: |audio only, as it asked")

	wants(t, scene(t, stage.ParticipantMedia{Connected: true, Socket: true, MaySubscribe: true}, bob)[2:], "NOTE subscriptions: It has not subscribed to bob, who publishes")
	wants(t, scene(t, stage.ParticipantMedia{Connected: true, Socket: true}, bob)[2:], "NOTE subscriptions: It receives nobody, because its token")
}

func TestLossIsBlamedOnTheBandwidthOnlyIfThatIsTooLow(t *testing.T) {
	t.Parallel()
	for way, want := range map[stage.Way]string{
		{}:                               "does not report enough to tell",
		{Takes: 2_000_000}:               "not too low|known to take 2000 kbps",
		{Takes: 300_000, Lacks: 700_000}: "comes of the bandwidth",
	} {
		w := newWorld(t)
		arn := w.stage()
		a := w.token(arn, "ann")
		w.enter(a.JWT)
		w.floor.media = stage.Media{At: noon, Participants: []stage.ParticipantMedia{{ID: a.ParticipantID, Connected: true, Socket: true, Subscriptions: []stage.MediaLeg{{
			Publisher: "bob", Progress: stage.Up, Way: way,
			Streams: []stage.MediaStream{{Kind: "audio", Codec: "opus", LastAt: noon, Reported: true, Loss: 0.2}},
		}}}}}
		e, err := w.Explain(t.Context(), w.caller, arn, a.ParticipantID)
		w.check(err)
		i := slices.IndexFunc(e.Sentences, func(s stage.Sentence) bool { return strings.HasPrefix(s.Text, "It loses") })
		if i < 0 {
			t.Fatal(e.Sentences)
		}
		for part := range strings.SplitSeq(want, "|") {
			if got := e.Sentences[i].Advice; !strings.Contains(got, part) {
				t.Errorf("of %+v it is said %q, without %q", way, got, part)
			}
		}
	}
}

func TestAnExplanationTellsByWhomSomebodyIsSeen(t *testing.T) {
	t.Parallel()
	self := stage.ParticipantMedia{
		Connected: true, Socket: true, MayPublish: true, Publishing: true,
		Publication: &stage.MediaLeg{Progress: stage.Up, Streams: []stage.MediaStream{{Kind: "audio", Codec: "opus", LastAt: noon}}},
	}
	wants(t, scene(t, self)[2:], "NOTE audience: Nobody else is connected")
	leg := func(p stage.Progress) []stage.MediaLeg { return []stage.MediaLeg{{Progress: p}} }
	got := scene(t, self,
		stage.ParticipantMedia{ID: "sees", Connected: true, MaySubscribe: true, Subscriptions: leg(stage.Up)},
		stage.ParticipantMedia{ID: "waits", Connected: true, MaySubscribe: true, Subscriptions: leg(stage.Checking)},
		stage.ParticipantMedia{ID: "deaf", Connected: true},
		stage.ParticipantMedia{ID: "idle", Connected: true, MaySubscribe: true},
		stage.ParticipantMedia{ID: "gone"})
	wants(t, got[2:], "OK audience: It is received by sees.", "PROBLEM audience: It is not received yet by waits", "NOTE audience: It is not received by deaf, whose token", "NOTE audience: It is not received by idle, who may subscribe")
}

func TestAnExplanationSaysWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, "", stage.Quotas{PublishersPerStage: 1})
	arn := w.stage()
	a := w.token(arn, "ann")
	w.enter(a.JWT)
	w.floor.media = stage.Media{Missing: []string{"p2"}, Participants: []stage.ParticipantMedia{{ID: a.ParticipantID, Busy: true}}}
	wants(t, w.explain(arn, a.ParticipantID)[3:], "NOTE servers: |p2", "PROBLEM servers: |still writing down")
	w.floor.media = stage.Media{Participants: []stage.ParticipantMedia{
		{ID: a.ParticipantID, Connected: true, MayPublish: true}, {ID: "bob", Connected: true, Publication: &stage.MediaLeg{Progress: stage.Up}},
	}}
	wants(t, w.explain(arn, a.ParticipantID)[4:], "PROBLEM publication: |all the 1 publishers that its quota allows")
}

func TestAParticipantIsFoundOnItsStages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.stage()
	w.stage()
	a := w.token(arn, "ann")
	if got, err := w.Where(t.Context(), w.caller, a.ParticipantID); err != nil || len(got) != 1 || got[0] != arn {
		t.Error(got, err)
	}
	if got, err := w.Where(t.Context(), w.caller, "nobody"); err != nil || got != nil {
		t.Error(got, err)
	}
	if _, err := w.Explain(t.Context(), stage.Caller{Account: "999999999999", Region: arn.Region}, arn, a.ParticipantID); stage.KindOf(err) != stage.Denied {
		t.Error(err)
	}
}
