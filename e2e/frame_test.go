//go:build e2e

package e2e

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"callboard/internal/guest"
)

func TestMalformedPresenceFramesEndTheirOwnSocketOnly(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	arn := b.stage(t)
	witness := b.guest(t, arn, "witness")
	watching := attendance(t, witness)
	session := b.session(t, arn)
	cases := []struct {
		name string
		send func(net.Conn)
		code uint16 // of the close frame; 0 for whatever
	}{
		{"no JSON", func(c net.Conn) { frame(c, 0x81, []byte("hello")) }, 4400},
		{"JSON that is no object", func(c net.Conn) { frame(c, 0x81, []byte(`[1]`)) }, 4400},
		{"an object without a type", func(c net.Conn) { frame(c, 0x81, []byte(`{}`)) }, 4400},
		{"a mute state of the wrong type", func(c net.Conn) { frame(c, 0x81, []byte(`{"type":"SET_STATE","audioMuted":"yes"}`)) }, 4400},
		{"binary", func(c net.Conn) { frame(c, 0x82, []byte(`{"type":"PING"}`)) }, 4400},
		{"too much", func(c net.Conn) { frame(c, 0x81, []byte(`{"type":"`+strings.Repeat("x", 70<<10)+`"}`)) }, 1009},
		{"too many", func(c net.Conn) {
			for range 100 {
				frame(c, 0x81, []byte(`{"type":"PING"}`))
			}
		}, 4429},
		{"reserved bits", func(c net.Conn) { frame(c, 0xf1, []byte(`{}`)) }, 0},
		{"an unknown opcode", func(c net.Conn) { frame(c, 0x83, []byte(`{}`)) }, 0},
		{"a frame that is not masked", func(c net.Conn) { c.Write([]byte{0x81, 2, '{', '}'}) }, 0},
		{"a frame of the greatest length", func(c net.Conn) { c.Write([]byte{0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0}) }, 0},
		{"noise", func(c net.Conn) {
			noise := make([]byte, 4096)
			rand.Read(noise)
			c.Write(noise)
		}, 0},
	}
	for _, c := range cases {
		issued := b.token(t, arn, c.name)
		id := *issued.ParticipantId
		conn, r := upgraded(t, b, *issued.Token)
		_, err := watching.Wait(deadline(t, patience), func(s guest.State) bool { _, here := s.Person(id); return here })
		must(t, err)
		began := time.Now()
		c.send(conn)
		code, err := closing(conn, r)
		if err != nil || c.code != 0 && code != c.code {
			t.Errorf("%s: the socket ends with %d, %v; want %d", c.name, code, err, c.code)
		}
		t.Logf("%s: ended with %d after %v", c.name, code, time.Since(began).Round(time.Millisecond))
		conn.Close()
		_, err = watching.Wait(deadline(t, patience), func(s guest.State) bool { _, here := s.Person(id); return !here })
		must(t, err)
		equal(t, "events of the one who sent "+c.name, history(t, b, arn, session, id), []string{"JOINED", "LEFT"})
	}
	equal(t, "events of the witness", history(t, b, arn, session, witness.ID()), []string{"JOINED"})
}

// upgraded is a presence socket of which the test does the framing itself.
func upgraded(t *testing.T, b *board, token string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn := dial(t, b)
	nonce := make([]byte, 16)
	rand.Read(nonce)
	fmt.Fprintf(conn, "GET /events HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(nonce), token)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	must(t, err)
	equal(t, "status of the upgrade", resp.StatusCode, http.StatusSwitchingProtocols)
	equal(t, "subprotocol", resp.Header.Get("Sec-Websocket-Protocol"), token)
	return conn, r
}

// frame writes one masked frame (RFC 6455, section 5.2).
func frame(w io.Writer, first byte, payload []byte) {
	head := []byte{first}
	switch n := len(payload); {
	case n < 126:
		head = append(head, 0x80|byte(n))
	case n < 1<<16:
		head = append(head, 0x80|126, byte(n>>8), byte(n))
	default:
		head = append(head, 0x80|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	w.Write(append(append(head, 0, 0, 0, 0), payload...)) // a mask of zeros leaves the payload as it is
}

// closing reads frames until the socket ends, and gives the code of the close
// frame, 0 if none came.
func closing(conn net.Conn, r *bufio.Reader) (code uint16, err error) {
	conn.SetReadDeadline(time.Now().Add(2 * patience)) // some only end for want of a heartbeat
	for {
		head := make([]byte, 2)
		if _, err := io.ReadFull(r, head); err != nil {
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				return code, err
			}
			return code, nil
		}
		n := int(head[1] & 0x7f)
		if n >= 126 {
			long := make([]byte, []int{2, 8}[n-126])
			if _, err := io.ReadFull(r, long); err != nil {
				return code, nil
			}
			n = 0
			for _, b := range long {
				n = n<<8 | int(b)
			}
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(r, payload); err != nil {
			return code, nil
		}
		if head[0] == 0x88 {
			if n >= 2 {
				code = uint16(payload[0])<<8 | uint16(payload[1])
			}
			frame(conn, 0x88, payload)
		}
	}
}
