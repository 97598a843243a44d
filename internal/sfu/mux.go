package sfu

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
)

// mux shares the engine's socket between all peers, by ICE user fragment, and knows
// under which addresses the socket is announced.
type mux struct {
	*ice.UDPMuxDefault
	socket    *socket
	local     *net.UDPAddr
	announced []net.Addr
}

// socketBuffer holds the bursts of many publishers' frames. The kernel may grant less.
const socketBuffer = 4 << 20

func newMux(conn net.PacketConn, ips []net.IP, log *slog.Logger) (*mux, error) {
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		return nil, fmt.Errorf("sfu: %v is not a UDP address", conn.LocalAddr())
	}
	if c, ok := conn.(*net.UDPConn); ok {
		_ = c.SetReadBuffer(socketBuffer)
		_ = c.SetWriteBuffer(socketBuffer)
	}
	if len(ips) == 0 {
		var err error
		if ips, err = addresses(local); err != nil {
			return nil, err
		}
	}
	m := &mux{local: local, socket: newSocket(conn)}
	for _, ip := range ips {
		m.announced = append(m.announced, &net.UDPAddr{IP: ip, Port: local.Port})
	}
	m.UDPMuxDefault = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: m.socket.fast(), Logger: logs{log}.NewLogger("mux")})
	return m, nil
}

// addresses lists the addresses under which a local socket is reached: its own, or for a socket on all
// interfaces those of the interfaces. Loopback is the last resort.
func addresses(local *net.UDPAddr) ([]net.IP, error) {
	if !local.IP.IsUnspecified() {
		return []net.IP{local.IP}, nil
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("sfu: interface addresses: %w", err)
	}
	var outer, loopback []net.IP
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		switch {
		case !ok || n.IP.IsLinkLocalUnicast() || local.IP.To4() != nil && n.IP.To4() == nil:
		case n.IP.IsLoopback():
			loopback = append(loopback, n.IP)
		default:
			outer = append(outer, n.IP)
		}
	}
	if len(outer) == 0 {
		return loopback, nil
	}
	return outer, nil
}

// GetListenAddresses implements ice.UDPMux: one host candidate for each.
func (m *mux) GetListenAddresses() []net.Addr { return m.announced }

// GetConn implements ice.UDPMux. An announced address need not be one the socket knows of.
func (m *mux) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	if !m.local.IP.IsUnspecified() {
		addr = m.local
	}
	return m.UDPMuxDefault.GetConn(ufrag, addr)
}

// logs lets the WebRTC stack write to our log. Whatever it finds worth an error is caused by
// some peer, at any rate it likes; so all of it is for debugging only.
type logs struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (l logs) NewLogger(scope string) logging.LeveledLogger {
	return quiet{l.log.With("scope", scope)}
}

type quiet struct{ log *slog.Logger }

func (q quiet) Trace(string)              {}
func (q quiet) Tracef(string, ...any)     {}
func (q quiet) Debug(string)              {}
func (q quiet) Debugf(string, ...any)     {}
func (q quiet) Info(string)               {}
func (q quiet) Infof(string, ...any)      {}
func (q quiet) Warn(m string)             { q.log.Debug(m) }
func (q quiet) Warnf(m string, a ...any)  { q.format(m, a) }
func (q quiet) Error(m string)            { q.log.Debug(m) }
func (q quiet) Errorf(m string, a ...any) { q.format(m, a) }

func (q quiet) format(m string, args []any) {
	if q.log.Enabled(context.Background(), slog.LevelDebug) {
		q.log.Debug(fmt.Sprintf(m, args...))
	}
}
