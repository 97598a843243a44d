package server

// OwnAddress is ownAddress.
var OwnAddress = ownAddress

// PeerURLOf is peerURL.
func (c *Config) PeerURLOf(listening string) string { return c.peerURL(listening) }
