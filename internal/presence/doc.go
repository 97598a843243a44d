// Package presence is the events WebSocket of a participant: who is on the
// stage goes out, mute state and a few wishes come in.
//
// An [Endpoint] reads the participant token from the handshake, takes a seat on
// the floor and serves the socket until either side ends it. Each socket
// has three goroutines: one reads, one pings, and the request's own writes. The
// state is sent whole each time; changes in quick succession share a frame, so a slow
// reader sees fewer, never stale ones, and holds up nobody.
//
// The same frames serve unmodified IVS stage clients and clients that speak the
// protocol callboard.events.v1.
package presence
