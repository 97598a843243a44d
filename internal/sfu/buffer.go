package sfu

import (
	"errors"
	"io"

	"github.com/pion/transport/v5/packetio"
)

// maxStreams bounds the incoming RTP and RTCP streams of a peer, each SSRC being up to two. Three
// layers with their retransmissions and audio make fourteen. The stack keeps each for the peer's life,
// whether anybody reads it or not.
const maxStreams = 64

// What waits in a stream to be read, in bytes; the rest is dropped. These are the limits
// that the stack itself has.
const (
	rtpBacklog  = 1000 * 1000
	rtcpBacklog = 100 * 1000
)

var errTooManyStreams = errors.New("sfu: the peer sends too many streams")

// buffer makes the buffer between the stack's reader and a new incoming stream. One stream
// too many ends the peer; until it has ended, what it sends is thrown away.
func (p *Peer) buffer(kind packetio.BufferPacketType, _ uint32) io.ReadWriteCloser {
	b := backlog{packetio.NewBuffer()}
	if kind == packetio.RTPBufferPacket {
		b.SetLimitSize(rtpBacklog)
	} else {
		b.SetLimitSize(rtcpBacklog)
	}
	if p.streams.Add(1) > maxStreams {
		_ = b.Close()
		p.stop(errTooManyStreams)
	}
	return b
}

// backlog makes a packet buffer fit for the stack.
type backlog struct{ *packetio.Buffer }

// Read implements io.Reader.
func (b backlog) Read(to []byte) (int, error) {
	n, _, err := b.Buffer.Read(to, nil)
	return n, err
}

// Write implements io.Writer.
func (b backlog) Write(from []byte) (int, error) { return b.Buffer.Write(from, nil) }

// ReadWithAttributes is what the stack prefers to Read.
func (b backlog) ReadWithAttributes(to []byte, a packetio.Attributes) (int, packetio.Attributes, error) {
	return b.Buffer.Read(to, a)
}

// WriteWithAttributes is what the stack prefers to Write.
func (b backlog) WriteWithAttributes(from []byte, a packetio.Attributes) (int, error) {
	return b.Buffer.Write(from, a)
}
