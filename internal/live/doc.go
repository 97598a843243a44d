// Package live knows who is here, in this process.
//
// The [Floor] gives each participant one goroutine. It owns everything the
// participant has here, its legs: at most one presence socket ([Attendance]), one
// publication, and one subscription per publisher ([Media]). Whatever happens to a
// leg is posted to that goroutine's mailbox, and it alone hands the
// participant's facts to the [stage.Register]. So facts of one participant are
// written in the order in which they happened, JOINED and LEFT alternate, and
// what follows from one cause, such as the end of the last leg, is one transaction.
//
// A participant is connected while it has at least one leg: a socket from the
// moment it is let in, media from the moment its offer is answered. That it has joined is durable before
// either is told to the client.
//
// What the people on one stage may see of each other is kept by that stage's cast,
// which learns of a fact only after it was recorded. Lookers are woken and
// come to read; nothing is queued for them, so a slow one costs nobody anything.
//
// There may be other processes on the same facts. Then a participant's goroutine
// claims its seat before anything else, so that it is the only one anywhere;
// a subscription to somebody whom another process holds is received through
// [Others], a [Visit] there; and a [Watch] gives what is news about the people here.
package live
