package sfu

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"net/netip"
)

// The part of STUN (RFC 8489) that ICE (RFC 8445) needs: binding requests and their answers, protected
// by short-term credentials. Nothing here allocates for a stranger's packet.

const (
	bindingRequest = 0x0001
	bindingSuccess = 0x0101
	bindingError   = 0x0111

	attrUsername     = 0x0006
	attrIntegrity    = 0x0008
	attrErrorCode    = 0x0009
	attrXORMapped    = 0x0020
	attrPriority     = 0x0024
	attrUseCandidate = 0x0025
	attrFingerprint  = 0x8028
	attrControlled   = 0x8029

	stunCookie = 0x2112a442
	stunHeader = 20
)

// transaction is what an answer has in common with its request.
type transaction [12]byte

// stunMessage is a message that was read. Its slices are parts of the datagram.
type stunMessage struct {
	kind       uint16
	id         transaction
	username   []byte
	nominates  bool // USE-CANDIDATE
	controlled bool // the sender leaves the choice to us
	sealed     []byte
	mac        []byte // over sealed; nil without MESSAGE-INTEGRITY
}

// parse reads a datagram and tells whether it is STUN.
func (m *stunMessage) parse(b []byte) bool {
	if len(b) < stunHeader || b[0] > 1 || binary.BigEndian.Uint32(b[4:]) != stunCookie {
		return false
	}
	size := int(binary.BigEndian.Uint16(b[2:]))
	if size%4 != 0 || stunHeader+size != len(b) {
		return false
	}
	*m = stunMessage{kind: binary.BigEndian.Uint16(b), id: transaction(b[8:stunHeader])}
	for at := stunHeader; at < len(b); {
		if len(b)-at < 4 {
			return false
		}
		kind, size := binary.BigEndian.Uint16(b[at:]), int(binary.BigEndian.Uint16(b[at+2:]))
		end := at + 4 + size
		if end > len(b) {
			return false
		}
		if m.note(kind, b[at+4:end]); m.mac != nil {
			m.sealed = b[:at]
			return true // what follows is not protected
		}
		at = end + -size&3
	}
	return true
}

func (m *stunMessage) note(kind uint16, value []byte) {
	switch kind {
	case attrUsername:
		m.username = value
	case attrUseCandidate:
		m.nominates = true
	case attrControlled:
		m.controlled = true
	case attrIntegrity:
		if len(value) == sha1.Size {
			m.mac = value
		}
	}
}

// stunKey makes and checks MESSAGE-INTEGRITY with one password. It is not safe for concurrent use.
type stunKey struct {
	mac  hash.Hash
	head [stunHeader]byte
	sum  []byte
}

func newSTUNKey(password string) stunKey {
	return stunKey{mac: hmac.New(sha1.New, []byte(password)), sum: make([]byte, 0, sha1.Size)}
}

// over computes the code for a message up to its MESSAGE-INTEGRITY, whose length it counts in already.
func (k *stunKey) over(b []byte) []byte {
	copy(k.head[:], b)
	binary.BigEndian.PutUint16(k.head[2:], uint16(len(b)-stunHeader+4+sha1.Size))
	k.mac.Reset()
	k.mac.Write(k.head[:])
	k.mac.Write(b[stunHeader:])
	k.sum = k.mac.Sum(k.sum[:0])
	return k.sum
}

// authentic tells whether m was made by somebody who knows the password.
func (m *stunMessage) authentic(k *stunKey) bool {
	return m.mac != nil && hmac.Equal(m.mac, k.over(m.sealed))
}

// stunBuilder writes a message, attribute by attribute.
type stunBuilder []byte

func newSTUN(kind uint16, id transaction) stunBuilder {
	b := make(stunBuilder, stunHeader, 160)
	binary.BigEndian.PutUint16(b, kind)
	binary.BigEndian.PutUint32(b[4:], stunCookie)
	copy(b[8:], id[:])
	return b
}

func (b stunBuilder) with(kind uint16, value []byte) stunBuilder {
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	return append(b, make([]byte, -len(value)&3)...)
}

// withAddress adds where a request came from (RFC 8489, section 14.2).
func (b stunBuilder) withAddress(from netip.AddrPort) stunBuilder {
	value := binary.BigEndian.AppendUint16([]byte{0, 1}, from.Port()^stunCookie>>16)
	ip := from.Addr().Unmap()
	if ip.Is6() {
		value[1] = 2
	}
	value = append(value, ip.AsSlice()...)
	for i := range value[4:] {
		value[4+i] ^= b[4+i] // the cookie, then the transaction
	}
	return b.with(attrXORMapped, value)
}

// sealed ends the message: integrity, fingerprint.
func (b stunBuilder) sealed(k *stunKey) []byte {
	b = b.with(attrIntegrity, k.over(b))
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-stunHeader+8))
	const mask = 0x5354554e
	return b.with(attrFingerprint, binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)^mask))
}
