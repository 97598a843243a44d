package relay

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
)

// FuzzCaller has a stranger send anything to the TCP port: what is read are whole frames, in order, and nothing else.
func FuzzCaller(f *testing.F) {
	f.Add(append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)...))
	f.Add([]byte{0x40, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0, 0x40, 0, 0, 0})
	f.Add([]byte{0, 1, 0xff, 0xfc, 0, 0})
	f.Add([]byte("\x00\x09\x00\x0c\x21\x12\xa4\x42abcdefghijkl\x00\x12\x00\x08\x00\x01\x21\x13\xea\x12\xd5\x47")) // a channel that leads astray
	r := &Relay{o: Options{Media: netip.MustParseAddrPort("203.0.113.5:9")}}
	f.Fuzz(func(t *testing.T, sent []byte) {
		server, client := net.Pipe() // for the deadlines
		defer server.Close()
		defer client.Close()
		c := &caller{Conn: server, relay: r, in: bufio.NewReaderSize(bytes.NewReader(sent), 2048)}
		b := make([]byte, 1600)
		for read := 0; ; {
			n, err := c.Read(b)
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errFrame) {
					t.Fatal(err)
				}
				return
			}
			for rest := sent[read:]; len(rest) >= 20 && r.astray(rest[:min(len(rest), 20+int(binary.BigEndian.Uint16(rest[2:])))]); rest = sent[read:] {
				read += 20 + int(binary.BigEndian.Uint16(rest[2:]))
			}
			if n < 4 || !bytes.Equal(b[:n], sent[read:read+n]) {
				t.Fatalf("%d bytes at %d of %x", n, read, sent)
			}
			read += n
		}
	})
}
