// Package server builds a whole Callboard out of its parts and runs it.
//
// [Load] turns flags, variables and a file into a [Config]. [New] opens
// everything in order: the facts, the rules over them, the media socket, the
// people present, the HTTP listener. [Server.Run] serves until its context ends
// and then stops everything in reverse, within one deadline. The package is the
// only one that knows all others; it contains wiring and no behaviour.
package server
