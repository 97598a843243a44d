package relay

import (
	"net"
	"net/netip"
	"sync"

	"github.com/pion/turn/v5"
)

// places makes the sockets behind allocations.
type places struct{ *Relay }

// Validate implements turn.RelayAddressGenerator.
func (p places) Validate() error { return nil }

// AllocatePacketConn implements turn.RelayAddressGenerator.
func (p places) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	if (c.Network == "udp4") != p.o.Media.Addr().Is4() || c.RequestedPort != 0 {
		return nil, nil, errRefused
	}
	if !p.enter(c.UserID) {
		return nil, nil, errFull
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(p.o.Target))
	if err != nil {
		p.leave(c.UserID)
		return nil, nil, err
	}
	s := &place{UDPConn: conn, relay: p.Relay, participant: c.UserID, media: net.UDPAddrFromAddrPort(p.o.Media)}
	told := netip.AddrPortFrom(p.o.Media.Addr(), conn.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	return s, net.UDPAddrFromAddrPort(told), nil
}

// AllocateListener implements turn.RelayAddressGenerator.
func (p places) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errRefused
}

// AllocateConn implements turn.RelayAddressGenerator.
func (p places) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) { return nil, errRefused }

// enter takes one more place for a participant, if there is one.
func (r *Relay) enter(participant string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.all >= maxPlaces || r.places[participant] >= ownPlaces {
		return false
	}
	r.all++
	r.places[participant]++
	r.open.Add(1)
	return true
}

func (r *Relay) leave(participant string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all--
	if r.places[participant]--; r.places[participant] == 0 {
		delete(r.places, participant)
	}
	r.open.Done()
}

// place is the socket of one allocation. It is connected to the media port, so the system lets it
// send nowhere else and receive from nobody else.
type place struct {
	*net.UDPConn
	relay       *Relay
	participant string
	media       net.Addr // what the client takes the other end for
	once        sync.Once
}

// ReadFrom implements net.PacketConn.
func (p *place) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := p.Read(b)
	return n, p.media, err
}

// WriteTo implements net.PacketConn. What is for another port of the same address goes nowhere.
func (p *place) WriteTo(b []byte, to net.Addr) (int, error) {
	if to.String() != p.media.String() {
		return 0, errRefused
	}
	return p.Write(b)
}

// Close implements net.PacketConn.
func (p *place) Close() error {
	err := p.UDPConn.Close()
	p.once.Do(func() { p.relay.leave(p.participant) })
	return err
}
