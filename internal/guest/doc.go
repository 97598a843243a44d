// Package guest is a participant made of Go: it takes a participant token and
// does what a client does with it, over the real wires. A [Guest] publishes by
// WHIP, subscribes by WHEP and holds the presence WebSocket; it leaves politely
// with [Guest.Close] or drops off the network without a goodbye with
// [Guest.Vanish]. Its video is drawn in code (H.264) or a tiny embedded clip
// (VP8), its audio is Opus silence: real frames in real packets, which any
// browser decodes.
//
// The demo and the tests are made of guests. The package knows nothing of the
// server's insides; everything it needs stands in the token.
package guest
