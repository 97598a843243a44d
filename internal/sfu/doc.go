// Package sfu is the media plane: it receives what publishers send and
// forwards it to subscribers, packet by packet and without touching the media.
//
// An [Engine] owns one UDP socket. [Engine.Publish] answers the offer of somebody
// who sends, [Engine.Subscribe] the offer of somebody who receives; both give
// back a peer, seen from its side as a [Publication] or a [Subscription], and
// the complete answer: all candidates are in it and none follow.
//
// The offer is not given to the WebRTC stack as it came. It is understood and checked
// (offer.go), one format is chosen for each kind (codec.go), and a new offer is
// written with nothing but that in it (trim.go): the stack has no choices to make.
// It is told no candidates of the other side: that one checks our address first, and is answered where its checks come from.
// Nor may a peer have more streams than it needs (buffer.go), or an error of the socket end anything (socket.go).
//
// A packet's journey: the publication runs one reading goroutine for each
// layer (layer.go). It puts the packet into the layer's ring, where it stays for a second or
// more to answer retransmission requests, then walks the list of listening
// outlets. The list is copied on write (track.go), so the walk takes no lock that
// subscribers share. Each outlet (outlet.go) rewrites sequence number, timestamp, SSRC and
// payload type (munge.go) and hands the packet to its transport. An outlet keeps its SSRC and
// continuous numbers whatever lies behind it: another layer, another
// publication, or nothing for a while. Video begins with a key frame; the wishes
// for one are gathered and sent to the publisher with restraint (keyframe.go), and
// who comes right after one gets what followed it from the ring.
//
// Each peer has one goroutine (peer.go) that watches its transport, sends reports and
// requests when they are due, and tells its owner. Callbacks of the stack only wake it.
//
// The package knows nothing of stages, tokens or HTTP. What becomes of a peer
// is told through [Notify].
package sfu
