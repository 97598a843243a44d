// Package export writes tables that are too large to be held: row by row, as CSV,
// as JSON Lines or as Parquet. [New] begins one; whoever has the rows hands them
// over one after another, and [Writer.Close] ends it. What is kept in memory is a
// few thousand rows at most.
//
// The package knows nothing of what the tables are about.
package export
