// Package rehearsal is what a server may do for tests and never for an
// audience: set its clock ahead, draw ids that are known beforehand, and begin
// anew without a new process.
//
// A [Clock] goes as time does, plus what it was set ahead. [Dice] give the same
// bytes after each start and restart. A [Door] lets tests ask for all that over
// HTTP; who opens it must see to it that only tests get there.
package rehearsal
