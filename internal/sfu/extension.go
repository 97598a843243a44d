package sfu

import "encoding/binary"

// extensions are the numbers of the header extensions that we read; 0 when not agreed on.
type extensions struct {
	transport uint8 // transport-wide sequence number
	rid       uint8
	repaired  uint8 // rid of the stream that is repaired
}

// extensionOf finds a header extension (RFC 8285) of an RTP packet; nil when it is not there.
func extensionOf(b []byte, id uint8) []byte {
	const oneByte, twoBytes = 0xbede, 0x100
	if id == 0 || len(b) < rtpHeader || b[0]&0x10 == 0 {
		return nil
	}
	start := rtpHeader + 4*int(b[0]&0x0f)
	if len(b) < start+4 {
		return nil
	}
	profile, size := binary.BigEndian.Uint16(b[start:]), 4*int(binary.BigEndian.Uint16(b[start+2:]))
	start += 4
	if len(b) < start+size {
		return nil
	}
	b = b[start : start+size]
	for len(b) > 1 {
		if b[0] == 0 { // padding
			b = b[1:]
			continue
		}
		number, head, length := b[0], 2, int(b[1])
		switch {
		case profile == oneByte:
			number, head, length = b[0]>>4, 1, int(b[0]&0x0f)+1
			if number == 15 {
				return nil
			}
		case profile&^0x0f != twoBytes:
			return nil
		}
		if len(b) < head+length {
			return nil
		}
		if number == id {
			return b[head : head+length]
		}
		b = b[head+length:]
	}
	return nil
}
