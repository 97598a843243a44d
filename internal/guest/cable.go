package guest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
)

// cable is the piece of network between one guest and the world. Once it is
// cut, what is written goes nowhere and what arrives is thrown away, but no
// connection ends: a close, too, is something the other side must not see.
type cable struct {
	cut  atomic.Bool
	tcp  atomic.Bool  // media do without UDP
	turn atomic.Bool  // media go by TURN alone
	loss atomic.Int64 // of a thousand UDP packets

	mu      sync.Mutex
	muxes   []ice.UDPMux
	sockets []*socket
	held    []net.Conn // closed by the guest after the cut, open on the wire
}

// webrtc opens a UDP socket, unless it is to do without, and gives the API that uses it. Each call needs its
// own, as in a browser: the server tells connections apart by where they come from.
func (c *cable) webrtc(whipURL string) (*webrtc.API, error) {
	var settings webrtc.SettingEngine
	quiet := &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
	settings.LoggerFactory = quiet
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	if !c.tcp.Load() {
		socket, err := c.open(localAddress(whipURL))
		if err != nil {
			return nil, err
		}
		mux := webrtc.NewICEUDPMux(quiet.NewLogger("ice"), socket)
		c.mu.Lock()
		c.muxes = append(c.muxes, mux)
		c.mu.Unlock()
		settings.SetICEUDPMux(mux)
		settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	}
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	return webrtc.NewAPI(webrtc.WithSettingEngine(settings)), nil
}

// localAddress stays on loopback when the server is there: no other interface
// can reach it.
func localAddress(whipURL string) string {
	u, err := url.Parse(whipURL)
	if err != nil {
		return ":0"
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if u.Hostname() == "localhost" || err == nil && ip.IsLoopback() {
		return "127.0.0.1:0"
	}
	return ":0"
}

// dial is the DialContext of the guest's HTTP.
func (c *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.cut.Load() {
		<-ctx.Done() // as a network that answers nothing
		return nil, ctx.Err()
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &stream{Conn: conn, cable: c, ended: make(chan struct{})}, nil
}

// release closes what is open still.
func (c *cable) release() error {
	c.mu.Lock()
	held, muxes := c.held, c.muxes
	c.held, c.muxes, c.sockets = nil, nil, nil
	c.mu.Unlock()
	var errs []error
	for _, mux := range muxes {
		errs = append(errs, mux.Close())
	}
	for _, conn := range held {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// stream is a TCP connection on a cable.
type stream struct {
	net.Conn
	cable *cable
	once  sync.Once
	ended chan struct{} // closed by Close after the cut
}

func (s *stream) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if !s.cable.cut.Load() {
		return n, err
	}
	<-s.ended
	return 0, net.ErrClosed
}

func (s *stream) Write(b []byte) (int, error) {
	if s.cable.cut.Load() {
		return len(b), nil
	}
	return s.Conn.Write(b)
}

func (s *stream) Close() error {
	if !s.cable.cut.Load() {
		return s.Conn.Close()
	}
	s.once.Do(func() {
		s.cable.mu.Lock()
		s.cable.held = append(s.cable.held, s.Conn)
		s.cable.mu.Unlock()
		close(s.ended)
	})
	return s.Conn.SetReadDeadline(time.Now()) // wakes a Read that began before the cut
}
