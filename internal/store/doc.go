// Package store keeps the facts: it is the one implementation of
// [callboard/internal/stage.Store], in SQL, in a single SQLite file.
//
// Writing is one queue and one committer. Every [Store.Update] waits in the
// queue; the committer takes all that wait, runs them one after another in a
// single transaction, each undone alone if it fails, and answers them after
// one commit has reached the disk. So the price of durability is shared by
// everybody who came while the commit before was under way, and nobody waits
// for a timer. Because updates are strictly in turn, the numbers of the feed
// have no gaps and become visible in order.
//
// Reading goes past the queue. Each [Store.View] borrows a connection from a
// small pool and sees one snapshot of what is committed. Every list is a walk
// along an index that has exactly the asked-for order, so a page costs the
// same at any depth and any size.
//
// The SQL in the files named after nouns is meant for SQLite and PostgreSQL
// alike; what is particular to SQLite is in engine.go. The package knows no
// rule of the domain: it stores what it is told.
package store
