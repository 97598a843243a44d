// Package store keeps the facts: it is the one implementation of
// [callboard/internal/stage.Store], in SQL, in a single SQLite file or in a
// PostgreSQL database that several processes may share.
//
// Writing is one queue and one committer. Every [Store.Update] waits in the
// queue; the committer takes all that wait, runs them one after another in a
// single transaction, each undone alone if it fails, and answers them after
// one sync of the disk. So the price of durability is shared by
// everybody who came while the commit before was under way, and nobody waits
// for a timer. Because updates are strictly in turn, the numbers of the feed
// have no gaps and become visible in order.
//
// PostgreSQL commits each batch. Beside an SQLite file there is a journal
// (journal.go, record.go): the batch's statements are written to it and synced,
// and SQLite's transaction stays open over many batches (posting.go). It is
// committed before a View, after 50 ms, and by Close. While that fails, because the
// disk is full, say, nothing more is stored, and a View looks into the open
// transaction (held.go).
//
// Reading goes past the queue. Each [Store.View] borrows a connection from a
// small pool and sees one snapshot, of all that was acknowledged before it. Every list is a walk
// along an index that has exactly the asked-for order, so a page costs the
// same at any depth and any size.
//
// Where processes share a database, each commit begins by taking a right to
// write that only one of them has at a time, and by taking over what the others
// have committed (batch.go, follow.go): so rolls are fed in the order of the
// feed in every process.
//
// The SQL in the files named after nouns is SQLite's and PostgreSQL's alike; what
// differs is behind the interfaces of engine.go. The package knows no rule of
// the domain: it stores what it is told.
package store
