// Package sfu is the media plane: it receives what publishers send and
// forwards it to subscribers, packet by packet and without touching the media.
//
// An [Engine] owns one UDP socket, and may own a TCP listener. [Engine.Publish] answers the offer of somebody
// who sends, [Engine.Subscribe] the offer of somebody who receives; both give
// back a peer, seen from its side as a [Publication] or a [Subscription], and
// the complete answer: all candidates are in it and none follow.
//
// An offer is understood and checked (offer.go), one format is chosen for each kind (codec.go), and the answer is
// written from what was understood (answer.go). No candidates of the other side are used: that one checks our
// address, and is where its checks come from.
//
// Below a peer is its link (link.go). The port (port.go) reads the socket, by the batch where the system can do that
// (socket_linux.go), and tells by two tables whom a datagram is for: connectivity checks name their ICE session
// (stun.go, ice.go), and the addresses that authentic ones came from belong to the session's link. DTLS agrees on
// keys (handshake.go); we are its server if we may be, so our order of ciphers holds. SRTP is sealed in place (srtp.go). A TCP
// connection (pipe.go) is to a link an address like any other.
//
// A packet's journey: the port's reader puts it into the link's inbox and wakes the peer, or forwards it itself while only
// one publisher sends (reader.go). The peer's goroutine, the only one it has, opens all that has come and keeps it in the layer's ring (layer.go), where it stays for a second or
// more to answer retransmission requests. Then the listeners have their turns (round.go). The list is copied on write
// (track.go), so the walk takes no lock that subscribers share. Each outlet (outlet.go) rewrites sequence number,
// timestamp, SSRC and payload type (munge.go) and has the packet sealed into a batch (batch.go); packets for one
// address leave in one train. An outlet keeps its SSRC and continuous numbers whatever lies behind it: another
// layer, another publication, or nothing for a while; its subscriber may choose (choice.go), or
// what it gets adapts (adapt.go) to what the way to it takes (estimate.go), by its reports about the packets in its ledger (ledger.go). All subscriptions
// of one viewer share one way, one estimate and one limit (allowance.go), and each has its share (share.go). Video begins with a key frame; the wishes
// for one are gathered and sent to the publisher with restraint (keyframe.go), and
// who comes right after one gets what followed it from the ring. The publisher is told what is missing and when
// packets came (feedback.go).
//
// Sending never waits: what the socket does not take is lost and counted. Nobody is slowed by anybody's network.
//
// The package knows nothing of stages, tokens or HTTP. What becomes of a peer
// is told through [Notify].
package sfu
