// Package keyring keeps the access keys of a server in one file that only its
// owner can read.
//
// A [Key] is a pair of id and secret, whom it belongs to, what its policies
// allow and how long it lives. [Change] changes the file for a command: under a
// lock, so that two commands lose nothing, and by putting a whole new file in
// the place of the old one, so that a reader or a crash never meets half of it.
// A [Book] is the server's view of the file. It looks at the file when it is
// asked for a key, so a new key works and a revoked one stops working without a
// restart, and without a goroutine that waits for either.
//
// The root pair of the server is not in the file and no matter of this package.
package keyring
