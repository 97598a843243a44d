// Package troupe makes several server processes on the same facts act as one.
//
// A [Troupe] is this process's place among them. It says every few seconds that
// it is alive, in a row of the database, where it also learns who else is. Each
// participant has one home, the process that holds it: what the doors get for
// somebody whose home is elsewhere is passed on there whole. Media does not take
// that way: a subscription's peer is made by the process that holds the
// publisher, and a stream between the two processes tells the participant's home
// what becomes of it. And each process tells every other one about its people,
// so that whoever looks at a stage sees all of it, wherever he looks from.
//
// All of this travels over HTTP under /peer/, where nobody is heard who does not know
// the secret in the common database. What comes is bounded all the same.
package troupe
