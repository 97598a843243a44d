// Package stage is the domain of Callboard: what is true about stages, the
// people on them and what may happen next.
//
// A stage is a durable place. People come with a participant token; the
// [Register] admits them, opens a session when the first one joins and writes
// down every fact about them: joined, publishing, subscribed, left. The
// [Service] answers what was written: one method for each thing the control
// plane can ask or change. A fact and its event are one transaction, and
// nothing is told to anyone before that transaction is durable.
//
// The package knows no HTTP, no SQL and no media. What it needs from the
// outside are its two ports: [Store] remembers, [Floor] acts on the people who
// are present.
package stage
