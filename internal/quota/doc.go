// Package quota knows how much AWS allows, and how much this server does.
//
// A [Profile] is one figure for each quota and one rate for each operation: those
// of AWS, none at all, or what a file says. Parts of the server that own what is
// bounded enforce the figures; this package counts calls, and tells.
//
// A [Meter] keeps a token bucket for each account, region and operation. It also
// keeps the bucket that AWS would have: whether or not anything is enforced here,
// it counts what AWS would have refused, and says so in the log once for each
// burst of calls, once for each time that a figure is passed. So a server without
// bounds is a rehearsal for the one with bounds.
package quota
