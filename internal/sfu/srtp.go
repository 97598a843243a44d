package sfu

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// keys protect what goes to a peer and open what comes from it. What is sent by GCM, nearly everything, is
// sealed here and in place (RFC 7714); the rest is pion's.
type keys struct {
	aead cipher.AEAD // of RTP sent; nil if it is not GCM
	salt [12]byte

	in *srtp.Context // owned by whoever calls link.receive

	mu  sync.Mutex // of the following
	out *srtp.Context
}

const (
	gcmTag      = 16
	overhead    = 32 // of SRTP and a header extension at most, in bytes
	rtpHeader   = 12
	replayRange = 128 // packets that may be late
)

var errNoCipher = errors.New("sfu: no such SRTP profile")

func newKeys(profile dtls.SRTPProtectionProfile, state srtp.KeyingMaterialExporter, client bool) (*keys, error) {
	c := &srtp.Config{Profile: srtp.ProtectionProfile(profile)}
	if err := c.ExtractSessionKeysFromDTLS(state, client); err != nil {
		return nil, err
	}
	return deriveKeys(c)
}

func deriveKeys(c *srtp.Config) (*keys, error) {
	k := &keys{}
	var err error
	if k.in, err = srtp.CreateContext(c.Keys.RemoteMasterKey, c.Keys.RemoteMasterSalt, c.Profile,
		srtp.SRTPReplayProtection(replayRange), srtp.SRTCPReplayProtection(replayRange)); err != nil {
		return nil, err
	}
	if k.out, err = srtp.CreateContext(c.Keys.LocalMasterKey, c.Keys.LocalMasterSalt, c.Profile); err != nil {
		return nil, err
	}
	switch c.Profile {
	case srtp.ProtectionProfileAeadAes128Gcm, srtp.ProtectionProfileAeadAes256Gcm:
		err = k.prepare(c.Keys.LocalMasterKey, c.Keys.LocalMasterSalt)
	case srtp.ProtectionProfileAes128CmHmacSha1_80:
	default:
		err = errNoCipher
	}
	return k, err
}

// prepare derives the session key and salt of RTP (RFC 3711, section 4.3).
func (k *keys) prepare(key, salt []byte) error {
	const encryption, salting = 0, 2
	master, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	derive := func(label byte, out []byte) {
		var in, block [aes.BlockSize]byte
		copy(in[:], salt)
		in[7] ^= label
		for n := 0; n < len(out); n += aes.BlockSize {
			binary.BigEndian.PutUint16(in[14:], uint16(n/aes.BlockSize))
			master.Encrypt(block[:], in[:])
			copy(out[n:], block[:])
		}
	}
	session := make([]byte, len(key))
	derive(encryption, session)
	derive(salting, k.salt[:])
	block, err := aes.NewCipher(session)
	if err != nil {
		return err
	}
	k.aead, err = cipher.NewGCM(block)
	return err
}

func (k *keys) sealReports(plain []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.out.EncryptRTCP(nil, plain, nil)
}

// stream is an outgoing RTP stream: an SSRC towards a peer. Its owner locks.
type stream struct {
	link  *link
	ssrc  uint32
	sent  sent
	nonce [12]byte
	plain []byte // for ciphers that are not GCM

	ledger    *ledger // of the peer; nil where packets have no transport-wide numbers
	extension uint8   // id of the header extension for them
	number    uint16  // of the next packet
	padding   bool    // the next packet is nothing else
}

// seal writes an RTP packet to b, which has room for it, and returns its length; 0 when it cannot be sent
// or must not. seq and ts are the outgoing ones.
func (s *stream) seal(b []byte, payloadType uint8, marker bool, seq uint16, ts uint32, payload []byte) int {
	k := s.link.keys.Load()
	index, ok := s.sent.index(seq)
	if k == nil || !ok {
		return 0
	}
	b[0], b[1] = 2<<6, payloadType
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], s.ssrc)
	head, n := rtpHeader, 0
	if s.padding {
		b[0] |= 0x20
	}
	if s.ledger != nil {
		b[0] |= 0x10
		writeNumber(b[head:], s.extension, s.number)
		head += extensionSize
	}
	if k.aead != nil {
		n = s.sealGCM(k, b, head, index, payload)
	} else {
		n = s.sealOther(k, b, head, payload)
	}
	if n == 0 || !s.sent.admit(index, b[:n]) {
		return 0
	}
	return n
}

func (s *stream) sealGCM(k *keys, b []byte, head int, index int64, payload []byte) int {
	s.nonce = [12]byte{}
	binary.BigEndian.PutUint32(s.nonce[2:], s.ssrc)
	binary.BigEndian.PutUint32(s.nonce[6:], uint32(index>>16))
	binary.BigEndian.PutUint16(s.nonce[10:], uint16(index))
	for i := range s.nonce {
		s.nonce[i] ^= k.salt[i]
	}
	k.aead.Seal(b[head:head], s.nonce[:], payload, b[:head])
	return head + len(payload) + gcmTag
}

func (s *stream) sealOther(k *keys, b []byte, head int, payload []byte) int {
	s.plain = append(append(s.plain[:0], b[:head]...), payload...)
	k.mu.Lock()
	defer k.mu.Unlock()
	sealed, err := k.out.EncryptRTP(b, s.plain, nil)
	if err != nil || len(sealed) > cap(b) {
		return 0
	}
	return len(sealed)
}

// maxStreams bounds the incoming RTP and RTCP streams of a peer, each SSRC being up to two. Three
// layers with their retransmissions and audio make fourteen.
const maxStreams = 64

var errTooManyStreams = errors.New("sfu: the peer sends too many streams")

// opened is what opening packets takes and remembers.
type opened struct {
	header  rtp.Header
	streams []uint64 // SSRCs, those of RTCP with a bit more
	bytes   []byte
	ends    []arrival
}

// receiver is told what has come. Packets are lent to it.
type receiver interface {
	rtp(b []byte, a arrival)
	rtcp(b []byte, a arrival)
}

// receive opens all that waits, and gives it to r. Packets that are not authentic are dropped.
func (l *link) receive(r receiver) error {
	k := l.keys.Load()
	if k == nil {
		return nil
	}
	o := &l.opened
	o.bytes, o.ends = l.inbox.swap(o.bytes, o.ends)
	start := int32(0)
	for _, a := range o.ends {
		b := o.bytes[start:a.end]
		start = a.end
		if len(b) < rtpHeader {
			continue
		}
		if err := l.open(k, b, a, r); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) open(k *keys, b []byte, a arrival, r receiver) error {
	const firstReport, lastReport = 192, 223 // RFC 5761, section 4
	reports := b[1] >= firstReport && b[1] <= lastReport
	var plain []byte
	var err error
	source := uint64(0)
	if reports {
		source = 1<<32 | uint64(binary.BigEndian.Uint32(b[4:]))
		plain, err = k.in.DecryptRTCP(nil, b, nil)
	} else {
		source = uint64(binary.BigEndian.Uint32(b[8:]))
		plain, err = k.in.DecryptRTP(b, b, &l.opened.header)
	}
	if err != nil {
		return nil // a stranger's, or a repeated one
	}
	l.heard.Store(a.at.UnixNano())
	if l.sends && a.home {
		l.consent.Store(a.at.UnixNano())
	}
	if err := l.opened.know(source); err != nil {
		return err
	}
	if reports {
		r.rtcp(plain, a)
	} else {
		r.rtp(plain, a)
	}
	return nil
}

// know counts a stream that was shown to be the peer's: pion remembers each.
func (o *opened) know(source uint64) error {
	for _, s := range o.streams {
		if s == source {
			return nil
		}
	}
	if len(o.streams) == maxStreams {
		return errTooManyStreams
	}
	o.streams = append(o.streams, source)
	return nil
}
