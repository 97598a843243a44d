// Package hook carries the feed to HTTP endpoints. Each event is posted as
// EventBridge would have it, signed as Standard Webhooks say, at least once, and
// in order for each stage.
//
// The feed in the database is the queue: a [Hook] has a cursor in it and for
// each stage in trouble a place of its own, so that a receiver that refuses the
// events of one stage does not hold up the others, and one that is down costs
// no memory. An event that is refused for too long becomes a [Letter], which is
// kept until somebody has it delivered again.
//
// All of it is remembered as documents of the store: hooks, cursors, letters,
// and which process delivers now. The [Courier] is the main type: what one can
// do with hooks, and, in [Courier.Run], the delivery.
package hook
