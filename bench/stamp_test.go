package bench

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// stamp says in a packet's payload which packet of which stream it is, and when it was sent. Servers that take
// frames apart and number packets anew leave it as it is: it is text, so H.264 has nothing to escape.
type stamp struct {
	stream uint16
	number uint32
	sent   time.Time
}

const stampSize = 4 + 4 + 8 + 16

var stampMark = []byte("SENT")

func (s stamp) write(b []byte) {
	copy(b, fmt.Sprintf("%s%04x%08x%016x", stampMark, s.stream, s.number, s.sent.UnixNano()))
}

// readStamp finds the stamp behind whatever the payload begins with.
func readStamp(payload []byte) (s stamp, ok bool) {
	i := bytes.Index(payload[:min(len(payload), 16)], stampMark)
	if i < 0 || len(payload) < i+stampSize {
		return s, false
	}
	b := payload[i+len(stampMark):]
	stream, err1 := strconv.ParseUint(string(b[:4]), 16, 16)
	number, err2 := strconv.ParseUint(string(b[4:12]), 16, 32)
	sent, err3 := strconv.ParseInt(string(b[12:28]), 16, 64)
	return stamp{uint16(stream), uint32(number), time.Unix(0, sent)}, err1 == nil && err2 == nil && err3 == nil
}
