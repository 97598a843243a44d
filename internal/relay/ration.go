package relay

import (
	"encoding/binary"
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
	"time"
)

// rations bound the answers that go to where nobody has shown to be: over UDP a stranger may ask in another's name, and
// answers are twice as long as questions. Each address has a share of so many in a second; some addresses have one in common.
type rations struct {
	seed   maphash.Seed
	mu     sync.Mutex
	shares [1024]share
}

type share struct {
	second int64
	taken  int
}

const ration = 50

func newRations() *rations { return &rations{seed: maphash.MakeSeed()} }

// take tells whether an address may have one more answer. Of IPv6 it is the network that counts.
func (r *rations) take(a netip.Addr, now time.Time) bool {
	if a = a.Unmap(); a.Is6() {
		network, _ := a.WithZone("").Prefix(64)
		a = network.Addr()
	}
	i := maphash.Comparable(r.seed, a) % uint64(len(r.shares))
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.shares[i]
	if second := now.Unix(); s.second != second {
		*s = share{second: second}
	}
	s.taken++
	return s.taken <= ration
}

// toStranger tells an answer that anybody can bring about: what a Binding request or an error leads to.
func toStranger(b []byte) bool {
	const bindingSuccess, errorClass, kind = 0x0101, 0x0110, 0xc110
	if len(b) < 2 {
		return false
	}
	t := binary.BigEndian.Uint16(b)
	return t == bindingSuccess || t&kind == errorClass
}

// WriteTo implements net.PacketConn.
func (p patient) WriteTo(b []byte, to net.Addr) (int, error) {
	if a, ok := to.(*net.UDPAddr); ok && toStranger(b) && !p.relay.rations.take(a.AddrPort().Addr(), time.Now()) {
		return len(b), nil
	}
	return p.PacketConn.WriteTo(b, to)
}
