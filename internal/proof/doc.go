// Package proof tries to catch the server losing, doubling or bending a fact.
// It has tests only. A crowd of actors joins, publishes, leaves, is sent away
// and has its stages deleted, while walkers page through every list; the house
// they do it to is one process or several, on any engine, and is killed and
// opened again. An oracle, which knows only what was asked and what was
// answered, says afterwards whether there is any order of events in which all
// answers are true. Another test cuts the power: it builds the files as a disk
// could have left them at any moment of a recorded run, and opens them.
//
// What is claimed, and how to run it for longer, is in docs/proof.md.
package proof
