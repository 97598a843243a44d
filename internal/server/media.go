package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"callboard/internal/relay"
	"callboard/internal/sfu"
)

// openMedia opens the ways that media takes: one UDP socket, and TCP for those who cannot use it.
func (s *Server) openMedia(ctx context.Context) error {
	var l net.ListenConfig
	conn, err := l.ListenPacket(ctx, "udp", s.cfg.Media)
	if err != nil {
		return fmt.Errorf("media %s cannot be opened: %w", s.cfg.Media, err)
	}
	s.media = conn.LocalAddr().(*net.UDPAddr).AddrPort()
	o := sfu.Options{Conn: conn, Log: s.log}
	if address := s.cfg.mediaTCP(); address != "" {
		if o.Listener, err = l.Listen(ctx, "tcp", address); err != nil {
			return errors.Join(fmt.Errorf("media-tcp %s cannot be opened, and \"off\" would do without it: %w", address, err), conn.Close())
		}
		s.mediaTCP = o.Listener.Addr()
	}
	for _, ip := range s.cfg.MediaIPs {
		o.IPs = append(o.IPs, ip.AsSlice())
	}
	if s.engine, err = sfu.Open(o); err != nil {
		if o.Listener != nil {
			_ = o.Listener.Close()
		}
		return errors.Join(err, conn.Close())
	}
	s.release = append(s.release, s.engine.Close)
	return nil
}

// openRelay opens the TURN server, if there is to be one.
func (s *Server) openRelay(ctx context.Context) error {
	if s.cfg.TURN == "" {
		return nil
	}
	secret, err := s.service.Secret(ctx, "turn")
	if err != nil {
		return err
	}
	var l net.ListenConfig
	o := relay.Options{Secret: secret, Now: s.clock.Now}
	if o.Media = s.relayed(); !o.Media.IsValid() {
		return fmt.Errorf("turn has nowhere to lead to: media has no address")
	}
	o.Target = netip.AddrPortFrom(s.media.Addr().Unmap(), s.media.Port())
	if o.Target.Addr().IsUnspecified() {
		o.Target = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), s.media.Port())
	}
	if o.UDP, err = l.ListenPacket(ctx, "udp", s.cfg.TURN); err != nil {
		return fmt.Errorf("turn %s cannot be opened: %w", s.cfg.TURN, err)
	}
	if o.TCP, err = l.Listen(ctx, "tcp", s.cfg.TURN); err != nil {
		return errors.Join(fmt.Errorf("turn %s cannot be opened: %w", s.cfg.TURN, err), o.UDP.Close())
	}
	local := o.UDP.LocalAddr().(*net.UDPAddr)
	if o.Host = o.Media.Addr().String(); len(s.cfg.MediaIPs) == 0 && !local.IP.IsUnspecified() {
		o.Host = local.IP.String()
	}
	if s.relay, err = relay.Open(o); err != nil {
		return errors.Join(err, o.UDP.Close(), o.TCP.Close())
	}
	s.release = append(s.release, s.relay.Close)
	return nil
}

// relayed is the one address of media that the TURN server leads to, one of IPv4 if there is any: browsers ask for such.
func (s *Server) relayed() netip.AddrPort {
	all := s.engine.Addresses()
	if i := slices.IndexFunc(all, func(a netip.AddrPort) bool { return a.Addr().Is4() }); i >= 0 {
		return all[i]
	}
	if len(all) == 0 {
		return netip.AddrPort{}
	}
	return all[0]
}

// servers tells participants of the TURN server.
func (s *Server) servers() func(participant string) []string {
	if s.relay == nil {
		return nil
	}
	return s.relay.Links
}
