// Package relay is a TURN server (RFC 8656) for people whose network lets through
// neither UDP nor the TCP of the media port. It leads to one place only: the media of
// the process it is in. Whoever has its credentials can reach nothing else by it.
//
// A [Relay] gives out credentials that end by themselves: the name says when and
// whose they are, the password is an HMAC over the name. Nothing is kept about them. The
// protocol is pion/turn's; what is ours is whom it serves, where it leads and how much there may be of it.
package relay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
)

// Options say what a relay works with.
type Options struct {
	// UDP and TCP are where clients come to. The relay owns them and closes them.
	UDP net.PacketConn
	TCP net.Listener
	// Host is where clients find both, an address or a name.
	Host string
	// Media is the only place that is led to, as its candidates announce it, and Target where it is for this process.
	Media, Target netip.AddrPort
	// Secret makes credentials.
	Secret []byte
	// Now may be nil.
	Now func() time.Time
}

const (
	realm        = "callboard"
	life         = 24 * time.Hour // of credentials: an allocation is refreshed with those it was made with
	maxPlaces    = 4_000          // allocations
	ownPlaces    = 256            // of one participant, who may have 64 subscriptions, and two on the way for each
	maxStrangers = 1_000          // TCP connections without an allocation
	strangerSpan = 10 * time.Second
	idleSpan     = 30 * time.Second
	stalledSpan  = 10 * time.Second
	farewellSpan = time.Second // to read the last words
)

// Relay is a running TURN server. Its methods are safe for concurrent use.
type Relay struct {
	o       Options
	server  *turn.Server
	rations *rations
	open    sync.WaitGroup // sockets and connections

	mu        sync.Mutex
	closed    bool
	places    map[string]int // by participant
	all       int
	callers   map[netip.AddrPort]*caller
	strangers []*caller // of these, who have no allocation, the oldest first
}

// Open starts a relay.
func Open(o Options) (*Relay, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Relay{o: o, rations: newRations(), places: map[string]int{}, callers: map[netip.AddrPort]*caller{}}
	var err error
	r.server, err = turn.NewServer(turn.ServerConfig{
		Realm:               realm,
		AuthHandler:         r.authenticate,
		EventHandler:        turn.EventHandler{OnAllocationCreated: r.allocated, OnAllocationDeleted: r.deallocated},
		PacketConnConfigs:   []turn.PacketConnConfig{{PacketConn: patient{o.UDP, r}, RelayAddressGenerator: places{r}, PermissionHandler: r.permits}},
		ListenerConfigs:     []turn.ListenerConfig{{Listener: callers{o.TCP, r}, RelayAddressGenerator: places{r}, PermissionHandler: r.permits}},
		StrictAddressFamily: o.Media.Addr().Is4(),
		LoggerFactory:       &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled},
	})
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	return r, nil
}

// Close ends all that is relayed, and returns when nothing is left of it.
func (r *Relay) Close() error {
	r.mu.Lock()
	r.closed = true
	var left []*caller
	for _, c := range r.callers {
		left = append(left, c)
	}
	r.mu.Unlock()
	err := r.server.Close()
	for _, c := range left {
		_ = c.Close()
	}
	r.open.Wait()
	return err
}

// Links are the values of Link headers that tell a participant of the relay (RFC 9725, section 4.6).
func (r *Relay) Links(participant string) []string {
	name := strconv.FormatInt(r.o.Now().Add(life).Unix(), 10) + ":" + participant
	link := func(local net.Addr, transport string) string {
		_, port, _ := net.SplitHostPort(local.String())
		return fmt.Sprintf(`<turn:%s?transport=%s>; rel="ice-server"; username="%s"; credential="%s"; credential-type="password"`,
			net.JoinHostPort(r.o.Host, port), transport, name, r.password(name))
	}
	return []string{link(r.o.UDP.LocalAddr(), "udp"), link(r.o.TCP.Addr(), "tcp")}
}

func (r *Relay) password(name string) string {
	mac := hmac.New(sha256.New, r.o.Secret)
	mac.Write([]byte(name))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// authenticate gives the participant that a name is for, and the key that goes with it.
func (r *Relay) authenticate(a *turn.RequestAttributes) (participant string, key []byte, ok bool) {
	until, participant, ok := strings.Cut(a.Username, ":")
	end, err := strconv.ParseInt(until, 10, 64)
	if !ok || err != nil || r.o.Now().Unix() >= end {
		return "", nil, false
	}
	return participant, turn.GenerateAuthKey(a.Username, realm, r.password(a.Username)), true
}

// permits tells whether a participant may be led to an address.
func (r *Relay) permits(_ net.Addr, peer net.IP) bool {
	ip, ok := netip.AddrFromSlice(peer)
	return ok && ip.Unmap() == r.o.Media.Addr()
}

// astray tells a request for a channel that leads to another port of the host of media. pion asks us about hosts only, and
// bounds no channels: to one address there can be one.
func (r *Relay) astray(b []byte) bool {
	const channelBind = 0x0009
	if len(b) < 2 || binary.BigEndian.Uint16(b) != channelBind {
		return false
	}
	m := stun.Message{Raw: b}
	var peer stun.XORMappedAddress
	if m.Decode() != nil || peer.GetFromAs(&m, stun.AttrXORPeerAddress) != nil {
		return false // pion refuses it
	}
	return r.permits(nil, peer.IP) && peer.Port != int(r.o.Media.Port())
}

var (
	errRefused = errors.New("relay: it leads to media only")
	errFull    = errors.New("relay: there is no place left")
)
