//go:build !linux

package sfu

import (
	"net"
	"net/netip"
)

// nativeAddress is needed only where many datagrams are sent at a time.
type nativeAddress struct{}

func (p *port) native(netip.AddrPort) nativeAddress { return nativeAddress{} }

type nativeBatch struct{}

func (b *batch) prepare() {}

// openBatched would read and write many datagrams at a time.
func (p *port) openBatched(*net.UDPConn) func() error { return nil }
