//go:build linux

package bench

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
	"github.com/pion/webrtc/v4"
)

// livekit is LiveKit as it comes, on loopback. Publishers use its WHIP; its viewers are offered what there is over a WebSocket,
// in messages of protobuf of which only what is needed here is read and written.
func livekit(program string) host {
	return func(b *testing.B, _, _ int) *venue {
		address := freeAddress(b)
		file := filepath.Join(b.TempDir(), "livekit.yml")
		_, port, err := net.SplitHostPort(address)
		must(b, err)
		must(b, os.WriteFile(file, fmt.Appendf(nil, `
port: %s
bind_addresses: [127.0.0.1]
logging: {level: warn}
keys: {%s: %s}
rtc:
  port_range_start: 20000
  port_range_end: 30000
  use_external_ip: false
  enable_loopback_candidate: true
  interfaces: {includes: [lo]}
  stun_servers: []
`, port, mediaKey.AccessKeyID, liveKitSecret), 0o600))
		v := &venue{pid: run(b, address, exec.Command(program, "--config", file))}
		v.whip = func(p int) (url, token string) {
			return "http://" + address + "/whip/v1", liveKitToken(b, p, "publisher", true)
		}
		v.join = func(v *viewer, p, n int) error {
			q := url.Values{"access_token": {liveKitToken(b, p, fmt.Sprint("viewer", n), false)}, "auto_subscribe": {"1"}, "protocol": {"15"}, "sdk": {"go"}}
			return v.answerOver("ws://" + address + "/rtc?" + q.Encode())
		}
		return v
	}
}

const liveKitSecret = "a-secret-of-the-bench-that-is-long-enough"

func liveKitToken(b *testing.B, room int, identity string, publishes bool) string {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": mediaKey.AccessKeyID, "sub": identity, "exp": time.Now().Add(time.Hour).Unix(),
		"video": map[string]any{"room": fmt.Sprint("bench", room), "roomJoin": true, "canPublish": publishes, "canSubscribe": !publishes},
	}).SignedString([]byte(liveKitSecret))
	must(b, err)
	return token
}

// The fields of LiveKit's signalling that matter.
const (
	signalAnswer, signalPing   = 2, 16 // of what is sent
	signalOffer, signalTrickle = 3, 4  // of what comes
	descriptionType            = 1
	descriptionSDP             = 2
	descriptionID              = 3
	trickleCandidate           = 1
)

// answerOver answers all offers that come over a WebSocket, until the viewer leaves.
func (v *viewer) answerOver(address string) error {
	ctx, cancel := context.WithCancel(context.Background())
	v.began = time.Now()
	conn, _, err := websocket.Dial(ctx, address, nil)
	if err != nil {
		cancel()
		return err
	}
	conn.SetReadLimit(1 << 20)
	v.leave = func() { cancel(); _ = conn.CloseNow() }
	go func() {
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for ping := putField(nil, signalPing, nil); conn.Write(ctx, websocket.MessageBinary, ping) == nil; {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() {
		for {
			_, message, err := conn.Read(ctx)
			if err != nil {
				return
			}
			eachField(message, func(field, _ uint64, b []byte) {
				switch field {
				case signalOffer:
					if answer, err := v.answerTo(b); err == nil {
						_ = conn.Write(ctx, websocket.MessageBinary, putField(nil, signalAnswer, answer))
					}
				case signalTrickle:
					v.trickled(b)
				}
			})
		}
	}()
	return nil
}

func (v *viewer) answerTo(description []byte) ([]byte, error) {
	var offer string
	var id uint64
	eachField(description, func(field, value uint64, b []byte) {
		switch field {
		case descriptionSDP:
			offer = string(b)
		case descriptionID:
			id = value
		}
	})
	if err := v.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return nil, err
	}
	answer, err := v.CreateAnswer(nil)
	if err != nil {
		return nil, err
	}
	gathered := webrtc.GatheringCompletePromise(v.PeerConnection)
	if err := v.SetLocalDescription(answer); err != nil {
		return nil, err
	}
	<-gathered
	b := putField(nil, descriptionType, []byte("answer"))
	b = putField(b, descriptionSDP, []byte(v.LocalDescription().SDP))
	return binary.AppendUvarint(binary.AppendUvarint(b, descriptionID<<3), id), nil
}

func (v *viewer) trickled(b []byte) {
	eachField(b, func(field, _ uint64, b []byte) {
		var c webrtc.ICECandidateInit
		if field == trickleCandidate && json.Unmarshal(b, &c) == nil {
			_ = v.AddICECandidate(c)
		}
	})
}

// putField appends a protobuf field of bytes.
func putField(to []byte, field uint64, b []byte) []byte {
	return append(binary.AppendUvarint(binary.AppendUvarint(to, field<<3|2), uint64(len(b))), b...)
}

// eachField reads a protobuf message: numbers and bytes, which is all there is here.
func eachField(b []byte, f func(field, value uint64, b []byte)) {
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 {
			return
		}
		value, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return
		}
		b = b[n+m:]
		switch key & 7 {
		case 0:
			f(key>>3, value, nil)
		case 2:
			if value > uint64(len(b)) {
				return
			}
			f(key>>3, 0, b[:value])
			b = b[value:]
		default:
			return
		}
	}
}
