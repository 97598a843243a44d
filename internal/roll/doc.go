// Package roll keeps the participants of one session in memory, in the order in
// which they joined, so that a page of them costs a few microseconds whatever
// the filter, the depth and the size.
//
// A [Roll] holds one row for each join sequence number. Rows live in blocks
// without pointers inside, so that ten million of them are no work for the
// garbage collector. For each value one can filter by there is a [set] of sequence
// numbers that finds the next lower member in a few steps, and the rows of one
// user id are chained. What a page reads is therefore what it returns, and
// little more.
//
// The package knows nothing of stages, SQL or JSON: whoever has committed a
// fact puts the row, and whoever is asked for a page takes it.
package roll
