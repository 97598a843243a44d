package sfu

import (
	"slices"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

func TestHostileAndUnfitOffersAreRefusedWithACode(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	good := readTestdata(t, "chromium-publish.sdp")
	video := good[strings.Index(good, "m=video"):]
	without := func(prefix string) string {
		var b strings.Builder
		for line := range strings.Lines(good) {
			if !strings.HasPrefix(line, prefix) {
				b.WriteString(line)
			}
		}
		return b.String()
	}
	replace := func(old, with string) string { return strings.ReplaceAll(good, old, with) }
	for name, c := range map[string]struct {
		offer string
		want  OfferProblem
	}{
		"empty":                {"", Malformed},
		"not SDP":              {"hello", Malformed},
		"no media":             {good[:strings.Index(good, "m=audio")], Malformed},
		"too large":            {good + strings.Repeat("a=x\r\n", maxOffer), Malformed},
		"too many sections":    {good + strings.Repeat("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n", 9), Malformed},
		"strange media":        {replace("m=audio", "m=text"), Malformed},
		"data alone":           {good[:strings.Index(good, "m=audio")] + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n", Malformed},
		"two videos":           {good + strings.Replace(video, "a=mid:1", "a=mid:2", 1), TooManyTracks},
		"four layers":          {good + "a=rid:more send\r\n", TooManyTracks},
		"a rid twice":          {good + "a=rid:low send\r\n", Malformed},
		"an unusable rid":      {good + "a=rid:l\x00w send\r\n", Malformed},
		"receiving":            {replace("a=sendonly", "a=recvonly"), WrongDirection},
		"inactive":             {replace("a=sendonly", "a=inactive"), WrongDirection},
		"switched off":         {replace("m=video 9", "m=video 0"), WrongDirection},
		"no bundle":            {without("a=group"), NotBundled},
		"video not bundled":    {replace("BUNDLE 0 1", "BUNDLE 0"), NotBundled},
		"no rtcp-mux":          {without("a=rtcp-mux"), NotBundled},
		"no mid":               {without("a=mid"), Malformed},
		"the same mid":         {replace("a=mid:1", "a=mid:0"), Malformed},
		"no ufrag":             {without("a=ice-ufrag"), Malformed},
		"no password":          {without("a=ice-pwd"), Malformed},
		"a short password":     {replace("0123456789abcdefghijABCD", "short"), Malformed},
		"an injected line":     {replace("a=ice-ufrag:Qk3f", "a=ice-ufrag:Qk\r3f"), Malformed},
		"no fingerprint":       {without("a=fingerprint"), Malformed},
		"a weak fingerprint":   {replace("sha-256 ", "md5 "), Malformed},
		"setup:holdconn":       {replace("a=setup:actpass", "a=setup:holdconn"), Malformed},
		"no Opus":              {replace("opus/48000/2", "opus/16000/1"), NoAudioCodec},
		"no video codec":       {strings.ReplaceAll(replace("H264/90000", "H265/90000"), "VP8/90000", "VP7/90000"), NoVideoCodec},
		"H.264 in mode 0":      {replace("packetization-mode=1", "packetization-mode=0"), NoVideoCodec},
		"a broken fingerprint": {replace("a=fingerprint:sha-256 7B:8B", "a=fingerprint:sha-256"), Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := e.Publish(t.Context(), c.offer, Notify{})
			if got := problem(err); got != c.want {
				t.Errorf("%v (%q), want %q", err, got, c.want)
			}
		})
	}
	t.Run("subscribing", func(t *testing.T) {
		t.Parallel()
		if _, _, err := e.Subscribe(t.Context(), good, nil, SubscribeOptions{}, Notify{}); problem(err) != WrongDirection {
			t.Error(err)
		}
	})
}

func TestTheWebSDKsOfferIsAnswered(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	_, answer, err := e.Publish(t.Context(), readTestdata(t, "chromium-publish.sdp"), Notify{})
	must(t, err)
	var d sdp.SessionDescription
	must(t, d.UnmarshalString(answer))
	audio, video := d.MediaDescriptions[0], d.MediaDescriptions[1]
	if got := video.MediaName.Formats; !slices.Equal(got, []string{"109", "114"}) {
		t.Error("video formats", got)
	}
	if got := audio.MediaName.Formats; !slices.Equal(got, []string{"111"}) {
		t.Error("audio formats", got)
	}
	for _, line := range []string{
		"a=recvonly", "a=rtcp-fb:109 nack", "a=rtcp-fb:109 nack pli", "a=rtcp-fb:109 ccm fir", "a=rtcp-fb:109 transport-cc",
		"a=rtcp-fb:111 transport-cc", "a=fmtp:111 minptime=10;useinbandfec=1", "a=fmtp:114 apt=109",
		"a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
		"a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", "a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
		"a=extmap:3 " + sdp.TransportCCURI, "a=rid:low recv", "a=rid:mid recv", "a=rid:hi recv", "a=simulcast:recv low;mid;hi",
		"a=setup:passive", "a=rtcp-mux", "a=group:BUNDLE 0 1", "a=ice-options:trickle", "a=end-of-candidates",
	} {
		if !strings.Contains(answer, line+"\r\n") {
			t.Errorf("no %s", line)
		}
	}
	for _, line := range []string{"abs-send-time", "video-orientation", " 2 udp ", "a=sendrecv", "goog-remb"} {
		if strings.Contains(answer, line) {
			t.Errorf("there is %s", line)
		}
	}
	if t.Failed() {
		t.Log(answer)
	}
}

// What programs that are no browsers offer, as they were seen to (docs/interop.md).
func TestTheOffersOfProgramsAreAnswered(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	for name, lines := range map[string][]string{
		"obs":       {"m=video 9 UDP/TLS/RTP/SAVPF 96", "a=setup:passive", "a=rtcp-fb:96 nack pli", "m=audio 9 UDP/TLS/RTP/SAVPF 111"},
		"ffmpeg":    {"m=video 9 UDP/TLS/RTP/SAVPF 106 105", "a=setup:active", "a=rtcp-fb:106 nack", "a=fmtp:105 apt=106"},
		"gstreamer": {"m=video 9 UDP/TLS/RTP/SAVPF 96", "a=setup:passive", "a=rtcp-fb:96 transport-cc", "m=audio 9 UDP/TLS/RTP/SAVPF 100"},
		"aiortc":    {"m=video 9 UDP/TLS/RTP/SAVPF 101 102", "a=setup:passive", "a=fmtp:102 apt=101", "m=audio 9 UDP/TLS/RTP/SAVPF 96"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, answer, err := e.Publish(t.Context(), readTestdata(t, name+"-publish.sdp"), Notify{})
			must(t, err)
			if a, v := p.Kinds(); !a || !v {
				t.Error("audio, video:", a, v)
			}
			for _, line := range lines {
				if !strings.Contains(answer, line+"\r\n") {
					t.Errorf("no %s in\n%s", line, answer)
				}
			}
		})
	}
}

func TestOBSMayHaveLayers(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	offer := readTestdata(t, "obs-publish.sdp") + "a=rid:0 send\r\na=rid:1 send\r\na=rid:2 send\r\na=simulcast:send 0;1;2\r\n"
	_, answer, err := e.Publish(t.Context(), offer, Notify{})
	must(t, err)
	if !strings.Contains(answer, "a=simulcast:recv 0;1;2\r\n") { // or OBS gives up
		t.Error(answer)
	}
}

func TestOtherShapesOfOffersAreAnswered(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	good := readTestdata(t, "chromium-publish.sdp")
	audio, video := good[:strings.Index(good, "m=video")], good[strings.Index(good, "m=video"):]
	head := good[:strings.Index(good, "m=audio")]
	for name, offer := range map[string]string{
		"audio only":                 strings.Replace(audio, "BUNDLE 0 1", "BUNDLE 0", 1),
		"video only, no group":       strings.Replace(head, "a=group:BUNDLE 0 1\r\n", "", 1) + video,
		"sendrecv":                   strings.ReplaceAll(good, "a=sendonly", "a=sendrecv"),
		"setup active":               strings.ReplaceAll(good, "actpass", "active"),
		"abs-send-time alone":        strings.ReplaceAll(good, "draft-holmer-rmcat", "draft-somebody"),
		"no extensions":              strings.ReplaceAll(good, "a=extmap:", "a=nothing:"),
		"VP8 alone":                  strings.ReplaceAll(good, "H264/90000", "H265/90000"),
		"video first":                head + video + audio[len(head):],
		"bundle-only":                strings.Replace(good, "m=video 9", "m=video 0", 1) + "a=bundle-only\r\n",
		"an extension id used twice": strings.Replace(good, "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:mid", 1),
		"broken candidates":          good + "a=candidate:x y z\r\na=candidate:1 1 udp 1 a.local 9 typ host\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, answer, err := e.Publish(t.Context(), offer, Notify{})
			if err != nil {
				t.Fatal(err)
			}
			if a, v := p.Kinds(); a != strings.Contains(answer, "m=audio") || v != strings.Contains(answer, "m=video") {
				t.Error("kinds", a, v)
			}
			if strings.Contains(answer, "a=sendrecv") || !strings.Contains(answer, "a=recvonly") {
				t.Error(answer)
			}
		})
	}
}

func TestDataChannelsAreRejectedAlone(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := newClient(t)
	_, err := c.CreateDataChannel("chat", nil)
	must(t, err)
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		_, err := c.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		must(t, err)
	}
	s := newStory()
	_, answer, err := e.Subscribe(t.Context(), c.offer(t), nil, SubscribeOptions{}, s.notify())
	must(t, err)
	if !strings.Contains(answer, "m=application 0 UDP/DTLS/SCTP webrtc-datachannel") || strings.Count(answer, "m=") != 3 {
		t.Error(answer)
	}
	c.accept(t, answer)
	wait(t, s.connected, "connection")
}

func TestSubscribersMustTakeTheFormatOfThePublication(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	h264 := publish(t, e, cameraOptions{})
	vp8 := publish(t, e, cameraOptions{mime: webrtc.MimeTypeVP8, codecs: offering(webrtc.MimeTypeOpus, webrtc.MimeTypeVP8)})
	try := func(src *Publication, mimes ...string) error {
		c := newClient(t, offering(mimes...)...)
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
			_, err := c.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
			must(t, err)
		}
		_, _, err := e.Subscribe(t.Context(), c.offer(t), src, SubscribeOptions{}, Notify{})
		return err
	}
	if err := try(h264.pub, webrtc.MimeTypeOpus, webrtc.MimeTypeVP8); problem(err) != NoVideoCodec {
		t.Error(err)
	}
	if err := try(h264.pub, webrtc.MimeTypePCMA, webrtc.MimeTypeH264); problem(err) != NoAudioCodec {
		t.Error(err)
	}
	if err := try(nil, webrtc.MimeTypeOpus, webrtc.MimeTypeVP9); problem(err) != NoVideoCodec {
		t.Error(err)
	}
	v := subscribe(t, e, vp8.pub, viewerOptions{})
	inOrder(t, v.video, 20)
	if err := v.sub.Attach(h264.pub); problem(err) != NoVideoCodec {
		t.Error(err)
	}
	inOrder(t, v.video, 20)
}

func TestAMissingKindIsAnsweredAndSilent(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{noVideo: true})
	v := subscribe(t, e, c.pub, viewerOptions{})
	inOrder(t, v.audio, 50)
	if strings.Count(v.answer, "a=sendonly") != 2 || strings.Count(v.answer, "a=msid:somebody ") != 2 {
		t.Error(v.answer)
	}
	both := publish(t, e, cameraOptions{})
	must(t, v.sub.Attach(both.pub)) // it may start later
	inOrder(t, v.video, 50)
}

func TestFragments(t *testing.T) {
	t.Parallel()
	text := "a=ice-options:trickle\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n" +
		"a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n"
	f, err := ParseFragment(text)
	if err != nil || f.Ufrag != "EsAw" || f.Pwd != "P2uYro0UCOQ4zxjKXaWCBui1" || f.MID != "0" || len(f.Candidates) != 1 || !f.EndOfCandidates {
		t.Errorf("%+v, %v", f, err)
	}
	if got := f.String(); got != text {
		t.Errorf("%q", got)
	}
	if f, err := ParseFragment(strings.ReplaceAll(text, "\r\n", "\n") + "m=video 9 X 0\na=mid:1\na=candidate:2\n"); err != nil || f.MID != "0" || len(f.Candidates) != 1 {
		t.Errorf("%+v, %v", f, err)
	}
	for _, bad := range []string{"hello", "a=ice-ufrag:EsAw\r\n", "a=ice-ufrag:E\r\na=ice-pwd:x\r\n", strings.Repeat("a", maxOffer+1)} {
		if _, err := ParseFragment(bad); err == nil {
			t.Errorf("accepted %.40q", bad)
		}
	}
	if f, err := ParseFragment(""); err != nil || !f.IsZero() || f.String() != "" {
		t.Error(f, err)
	}
}
