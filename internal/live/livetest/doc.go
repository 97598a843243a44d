// Package livetest is a stage with a floor for tests: a [World] has a register
// on a store in memory, a media engine on loopback and a floor that runs until
// the test ends. A [Peer] is a browser's part in it.
package livetest
