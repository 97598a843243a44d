package sfu

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"time"

	"github.com/pion/dtls/v3"
)

// ciphers are in the order of our choice, which holds where we are the DTLS server. GCM costs an eighth of CM with SHA-1.
var ciphers = []dtls.SRTPProtectionProfile{
	dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80,
}

var errForeignCertificate = errors.New("sfu: the certificate is not the one of the offer")

// identity is what the engine shows of itself.
type identity struct {
	certificate tls.Certificate
	fingerprint string // as in a=fingerprint
}

// newIdentity makes the certificate for the DTLS connections of all peers. Peers check its
// fingerprint, nothing else; so it lives for as long as any process.
func newIdentity() (identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return identity{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return identity{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "WebRTC"},
		NotBefore: time.Now().AddDate(0, 0, -1), NotAfter: time.Now().AddDate(20, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return identity{}, err
	}
	certificate := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return identity{certificate, fingerprintOf("sha-256", der)}, nil
}

// fingerprintOf writes a certificate's hash as SDP does (RFC 8122); "" for an unknown algorithm.
func fingerprintOf(algorithm string, der []byte) string {
	var digest []byte
	switch algorithm {
	case "sha-256":
		sum := sha256.Sum256(der)
		digest = sum[:]
	case "sha-384":
		sum := sha512.Sum384(der)
		digest = sum[:]
	case "sha-512":
		sum := sha512.Sum512(der)
		digest = sum[:]
	default:
		return ""
	}
	return algorithm + " " + strings.ReplaceAll(fmt.Sprintf("% X", digest), " ", ":")
}

// handshake is what an offer says about DTLS.
type handshake struct {
	fingerprint string // of the peer's certificate
	begin       bool   // the peer waits for us to: it can only be the server
}

// setup is our role in the words of SDP (RFC 5763). We are the server if we may be.
func (h handshake) setup() string {
	if h.begin {
		return "active"
	}
	return "passive"
}

// takeRecord takes a DTLS record from an address of the link. It waits until an address is proved: our side of
// the handshake is several times as long as what asks for it, and not for a third party.
func (l *link) takeRecord(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if b = credible(b, l.keys.Load() != nil, &l.shook); len(b) > 0 {
		_, _ = l.records.Write(b, nil) // too many are dropped
	}
	l.greet()
}

// What there may be of a handshake: pion keeps what it cannot use yet, and the time that a signature takes to verify grows with the square of
// the size of the key. A certificate with 8192 bits of RSA has 2.4 kB, one with ECDSA 400 bytes.
const (
	handshakeBytes = 64 << 10 // of records, those that are repeated included
	messageBytes   = 3 << 10  // of one message
)

// credible takes those records out of a datagram, in place, that no client sends: once keys are agreed on, those in the clear, of which
// one would end the connection (of a last flight that comes again, the end is sealed); and what is too much for a handshake, of
// which so many bytes have come before.
func credible(b []byte, agreed bool, before *int) []byte {
	const head, handshake = 13, 22
	kept := b[:0]
	for len(b) >= head {
		n := min(head+int(binary.BigEndian.Uint16(b[11:])), len(b))
		inClear, good := binary.BigEndian.Uint16(b[3:]) == 0, true
		if b[0] == handshake {
			*before += n
			good = *before <= handshakeBytes && (!inClear || modest(b[head:n]))
		}
		if good && !(agreed && inClear) {
			kept = append(kept, b[:n]...)
		}
		b = b[n:]
	}
	return kept
}

// modest tells whether the messages that a record has parts of (RFC 6347, section 4.2.2) are not too large.
func modest(b []byte) bool {
	const head = 12
	size := func(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }
	for len(b) >= head {
		if size(b[1:]) > messageBytes {
			return false
		}
		b = b[min(head+size(b[9:]), len(b)):]
	}
	return len(b) == 0
}

// greet begins the handshake once the peer has shown where it is, and has begun it itself unless that is left to us. l.mu is held.
func (l *link) greet() {
	if !l.closed && !l.shaking && (l.handshake.begin || l.records.Count() > 0) && l.proved() != nil {
		l.shaking = true
		l.workers.Go(l.shakeHands)
	}
}

// shakeHands is the DTLS connection's life. Who has got here has shown by ICE that it is at its address and
// knows the answer, so it is not asked for a cookie as well.
func (l *link) shakeHands() {
	conn, err := l.converse()
	if err == nil {
		l.mu.Lock()
		l.conn = conn // from now on, close says goodbye
		l.mu.Unlock()
		if err = l.agree(conn); err != nil {
			_ = conn.Close()
		}
	}
	if err != nil {
		l.port.log.Debug("handshake", "error", err)
		l.become(linkLost)
		return
	}
	b := make([]byte, receiveMTU)
	for !errors.Is(err, io.EOF) { // nobody has anything to say but goodbye; what else is wrong was one record
		_, err = conn.Read(b)
	}
	l.become(linkBye)
}

// converse makes the connection, in our role.
func (l *link) converse() (*dtls.Conn, error) {
	conn, to, log := recordConn{l}, l.port.local, dtls.WithLoggerFactory(logs{l.port.log})
	certificate, profiles := dtls.WithCertificates(l.port.identity.certificate), dtls.WithSRTPProtectionProfiles(ciphers...)
	anybody, verified := dtls.WithInsecureSkipVerify(true), dtls.WithVerifyPeerCertificate(l.verify)
	if l.handshake.begin {
		return dtls.ClientWithOptions(conn, to, certificate, profiles, anybody, verified, log)
	}
	return dtls.ServerWithOptions(conn, to, certificate, profiles, anybody, verified, log,
		dtls.WithClientAuth(dtls.RequireAnyClientCert), dtls.WithInsecureSkipVerifyHello(true))
}

// agree makes the keys.
func (l *link) agree(conn *dtls.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), l.port.timing.pending)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	profile, ok := conn.SelectedSRTPProtectionProfile()
	state, known := conn.ConnectionState()
	if !ok || !known {
		return errors.New("sfu: no SRTP profile was agreed on")
	}
	k, err := newKeys(profile, &state, l.handshake.begin)
	if err != nil {
		return err
	}
	l.keys.Store(k)
	l.become(linkUp)
	return nil
}

// verify compares the peer's certificate with the offer's fingerprint.
func (l *link) verify(certificates [][]byte, _ [][]*x509.Certificate) error {
	algorithm, _, _ := strings.Cut(l.handshake.fingerprint, " ")
	if len(certificates) == 0 || fingerprintOf(algorithm, certificates[0]) != l.handshake.fingerprint {
		return errForeignCertificate
	}
	return nil
}

// recordConn is a link as the packet connection of its DTLS.
type recordConn struct{ *link }

// ReadFrom implements net.PacketConn.
func (r recordConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, _, err := r.records.Read(b, nil)
	return n, r.LocalAddr(), err
}

// WriteTo implements net.PacketConn. The address is ICE's business. A hello goes twice, because FFmpeg takes the first
// one for a sign to begin and waits for another; to everybody else the second is a datagram that the network has doubled.
func (r recordConn) WriteTo(b []byte, _ net.Addr) (int, error) {
	to := r.correspondent()
	if to == nil {
		return 0, errNotConnected
	}
	if isHello(b) {
		_ = r.port.write(b, to.AddrPort)
	}
	return len(b), r.port.write(b, to.AddrPort)
}

// isHello tells a record that has a ClientHello in it.
func isHello(b []byte) bool {
	const head, handshake, clientHello = 13, 22, 1
	return len(b) > head && b[0] == handshake && b[head] == clientHello
}

// Close implements net.PacketConn.
func (r recordConn) Close() error { return r.records.Close() }

// LocalAddr implements net.PacketConn.
func (r recordConn) LocalAddr() net.Addr { return r.port.local }

// SetDeadline implements net.PacketConn.
func (r recordConn) SetDeadline(t time.Time) error { return r.records.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (r recordConn) SetReadDeadline(t time.Time) error { return r.records.SetReadDeadline(t) }

// SetWriteDeadline implements net.PacketConn. Writing never waits.
func (r recordConn) SetWriteDeadline(time.Time) error { return nil }
