package sfu

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/srtp/v3"
	"github.com/pion/transport/v5/packetio"
	"github.com/pion/webrtc/v4"
)

func TestAPeerWithTooManyStreamsIsClosed(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	v := subscribe(t, e, c.pub, viewerOptions{})
	inOrder(t, v.video, 10)
	for name, p := range map[string]struct {
		*client
		*story
		*Peer
	}{"a publisher": {c.client, c.story, &c.pub.Peer}, "a subscriber": {v.client, v.story, &v.sub.Peer}} {
		t.Run(name, func(t *testing.T) {
			for ssrc := range uint32(5 * maxStreams) {
				_ = p.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{SenderSSRC: 1 + ssrc}}) // fails once the peer is gone
			}
			if err := wait(t, p.closed, "end"); !errors.Is(err, errTooManyStreams) {
				t.Error(err)
			}
			<-p.Done()
		})
	}
}

func TestWaitingPacketsAreBounded(t *testing.T) {
	t.Parallel()
	p := nowhere(func(*batch) {})
	up, early := benchLink(t, p, home, srtp.ProtectionProfileAeadAes128Gcm), &link{port: p}
	for l, most := range map[*link]int{up: mediaBacklog, early: earlyBacklog} {
		for range 2 * most / 1000 {
			l.put(make([]byte, 1000), home, epoch)
		}
		bytes, ends := l.inbox.swap(nil, nil)
		if len(bytes) > most || len(bytes) < most*9/10 || len(ends) != len(bytes)/1000 {
			t.Error("kept", len(bytes), "of", most)
		}
		if l.inbox.swap(bytes, ends); cap(l.inbox.bytes) > keptBacklog {
			t.Error("keeps the memory of a flood")
		}
	}
	p.identity, _ = newIdentity()
	l := &link{port: p, wake: func() {}, records: packetio.NewBuffer(), shaking: true}
	l.records.SetLimitSize(recordBacklog)
	for range 2 * recordBacklog / 1000 {
		l.takeRecord(make([]byte, 1000))
	}
	if kept := l.records.Size(); kept > recordBacklog || kept < recordBacklog*9/10 {
		t.Error("kept", kept, "of", recordBacklog)
	}
}

func TestCandidatesOfTheOtherSideAreNotUsed(t *testing.T) {
	t.Parallel()
	victim, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	defer victim.Close()
	_, port, _ := net.SplitHostPort(victim.LocalAddr().String())
	candidate := "1 1 udp 2122260223 127.0.0.1 " + port + " typ host generation 0"
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{mangle: func(offer string) string {
		return strings.ReplaceAll(offer, "a=rtcp-mux\r\n", "a=rtcp-mux\r\na=candidate:"+candidate+"\r\n")
	}})
	before := c.pub.ETag()
	for _, f := range []Fragment{
		{Ufrag: c.pub.offer.ufrag, Pwd: c.pub.offer.pwd, Candidates: []string{candidate, "nonsense", ""}, EndOfCandidates: true},
		{Candidates: []string{candidate}},
	} {
		if got, err := c.pub.Patch(f); err != nil || !got.IsZero() || c.pub.ETag() != before {
			t.Error(got, err)
		}
	}
	wait(t, c.story.media, "media")
	if got := c.pub.link.remote.Load().AddrPort.String(); got != c.wire.LocalAddr().String() {
		t.Error("took", got)
	}
	restart(t, c.client, &c.pub.Peer) // with candidates in the fragment
	v := subscribe(t, e, c.pub, viewerOptions{})
	steady(t, v.video, 100)
	must(t, victim.SetReadDeadline(time.Now()))
	if n, from, err := victim.ReadFrom(make([]byte, receiveMTU)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a third party was sent %d bytes by %v", n, from)
	}
}

func TestAPeerThatWasNeverConnectedCannotRestart(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	p, _, err := e.Publish(t.Context(), readTestdata(t, "chromium-publish.sdp"), Notify{})
	must(t, err)
	if _, err := p.Patch(Fragment{Ufrag: "other", Pwd: strings.Repeat("x", 24)}); !errors.Is(err, ErrRestartUnsupported) {
		t.Error(err)
	}
}

func TestARefusedRestartLeavesTheOldCredentialsInUse(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	wait(t, c.connected, "connection")
	ufrag, pwd, etag := c.pub.offer.ufrag, c.pub.offer.pwd, c.pub.ETag()
	for _, f := range []Fragment{{Ufrag: ufrag, Pwd: strings.Repeat("x", 24)}, {Ufrag: "other", Pwd: pwd}, {Ufrag: "other", Pwd: "short"}} {
		if _, err := c.pub.Patch(f); !errors.Is(err, ErrRestartUnsupported) {
			t.Error(err)
		}
	}
	if got, err := c.pub.Patch(Fragment{Ufrag: ufrag, Pwd: pwd}); err != nil || !got.IsZero() || c.pub.ETag() != etag {
		t.Error("the old session does not go on:", got, err)
	}
}

// A stranger who knows where a peer is can send in its name, but knows no keys.
func TestAStrangerCannotSayGoodbyeForAPeer(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	wait(t, c.story.media, "media")
	l := c.pub.link
	from := l.remote.Load().AddrPort
	record := func(kind byte, content ...byte) []byte {
		return append([]byte{kind, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 1, kind, 0, byte(len(content))}, content...)
	}
	for _, b := range [][]byte{
		record(23, 1, 2, 3), record(21, 1, 0), record(21, 2, 40), record(20, 7), record(24, 1), record(22, 1), {22}, append(record(22, 9), record(23, 1)...),
	} {
		e.port.take(b, from, time.Now())
	}
	inOrder(t, subscribe(t, e, c.pub, viewerOptions{}).video, 10)
	if got := l.state(); got != linkUp || len(c.closed) > 0 {
		t.Error("the link is", got)
	}
}

func TestNoRecordInTheClearIsCredibleOnceThereAreKeys(t *testing.T) {
	t.Parallel()
	record := func(kind, epoch byte) []byte { return []byte{kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1, 0, 1, 7} }
	last := slices.Concat(record(22, 0), record(20, 0), record(22, 1), record(21, 0), record(23, 1), record(23, 0))
	want := slices.Concat(record(22, 1), record(23, 1))
	if got := credible(last, true, new(int)); !bytes.Equal(got, want) {
		t.Errorf("% x", got)
	}
	for n := range want {
		credible(bytes.Clone(want[:n]), true, new(int))
	}
}

func TestOfAHandshakeThereIsOnlySoMuch(t *testing.T) {
	t.Parallel()
	part := func(size, of int) []byte { // of a message, the first
		b := append([]byte{11, byte(of >> 16), byte(of >> 8), byte(of), 0, 1, 0, 0, 0, 0, byte(size >> 8), byte(size)}, make([]byte, size)...)
		return append([]byte{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, byte(len(b) >> 8), byte(len(b))}, b...)
	}
	small, large := part(1000, messageBytes), part(1000, messageBytes+1)
	if got := credible(bytes.Clone(small), false, new(int)); !bytes.Equal(got, small) {
		t.Error("lost a certificate")
	}
	both := slices.Concat(small, part(1000, 1<<20)[13:])
	both[11], both[12] = byte((len(both)-13)>>8), byte(len(both)-13)
	for _, b := range [][]byte{large, both, small[:20], part(1000, 1<<23)} {
		if got := credible(bytes.Clone(b), false, new(int)); len(got) > 0 {
			t.Error("passed on", len(got), "bytes")
		}
	}
	var kept, before int
	for range 1000 {
		kept += len(credible(bytes.Clone(small), false, &before))
	}
	if kept > handshakeBytes || kept < handshakeBytes*9/10 {
		t.Error("passed on", kept, "bytes")
	}
	goodbye := []byte{21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 7}
	if got := credible(bytes.Clone(goodbye), true, &before); !bytes.Equal(got, goodbye) {
		t.Error("no goodbye is heard after that")
	}
}

func TestClientsWithACertificateOfRSAConnect(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	certificate, err := webrtc.GenerateCertificate(key)
	must(t, err)
	var s webrtc.SettingEngine
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	c := publish(t, openEngine(t, Options{}), cameraOptions{client: newClientOver(t, s, webrtc.Configuration{Certificates: []webrtc.Certificate{*certificate}}, nil)})
	wait(t, c.story.media, "media")
}

func TestAPanicOverAnOfferIsARefusal(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	o, err := readOffer(readTestdata(t, "chromium-publish.sdp"), sending)
	must(t, err)
	must(t, o.settlePublisher())
	o.unused = []unused{{}} // what no offer can say
	p := &Publication{}
	if _, err = e.connect(t.Context(), o, Notify{}, p, &p.Peer, p.serve); problem(err) != Malformed {
		t.Error(err)
	}
	if s := e.Stats(); s.Peers != 0 || s.Pending != 0 {
		t.Errorf("left over: %+v", s)
	}
}

// malformed is RTCP that finds its way to the stream ssrc and is neither a valid report of arrival times nor,
// the second, short enough to be read at once.
func malformed(ssrc uint32) []rtcp.RawPacket {
	var all []rtcp.RawPacket
	for _, size := range []int{20, slotSize + 60} {
		p := make(rtcp.RawPacket, size)
		p[0], p[1] = 2<<6|rtcp.FormatTCC, byte(rtcp.TypeTransportSpecificFeedback)
		binary.BigEndian.PutUint16(p[2:], uint16(size/4-1))
		binary.BigEndian.PutUint32(p[8:], ssrc)
		binary.BigEndian.PutUint16(p[14:], 9999) // packets, none of which follows
		all = append(all, p)
	}
	return all
}

func TestMalformedRTCPDoesNotStopTheFeedbackOfSubscribers(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{})
	v := subscribe(t, e, c.pub, viewerOptions{})
	p := wait(t, v.video, "packet")
	for _, bad := range malformed(p.SSRC) {
		must(t, v.WriteRTCP([]rtcp.Packet{&bad}))
	}
	for began := time.Now(); time.Since(began) < 2*keyFrameInterval; {
		wait(t, v.video, "packet")
	}
	for len(c.pleas) > 0 {
		<-c.pleas
	}
	must(t, v.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: p.SSRC}}))
	wait(t, c.pleas, "key frame request")
}

func TestMalformedRTCPDoesNotStopTheReportsOfPublishers(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Options{})
	c := publish(t, e, cameraOptions{noAudio: true})
	wait(t, c.story.media, "media")
	l := c.pub.video.layers[0]
	for _, bad := range malformed(l.ssrc.Load()) {
		must(t, c.WriteRTCP([]rtcp.Packet{&bad}))
	}
	must(t, c.WriteRTCP([]rtcp.Packet{&rtcp.SenderReport{SSRC: l.ssrc.Load(), NTPTime: toNTP(time.Now())}}))
	reported := func() bool {
		l.clock.mu.Lock()
		defer l.clock.mu.Unlock()
		return l.clock.reported
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !reported(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("the report was not read")
		}
	}
}
