// Package desk answers what the service's own API cannot: Callboard's API under
// /callboard/v1/, plain REST and JSON, for the same people with the same keys.
//
// [Desk] is one http.Handler around one table of routes. A row names the action
// that policies allow, tells method and path, and has the types of what goes in and
// comes out, whose tags hold names, bounds and a line of description for every
// member. Requests are decoded by these types, answers are encoded by them, and the
// OpenAPI description at /callboard/v1/openapi.json is made of them: there is no
// second place in which a route could be described wrongly.
//
// Who comes in, and what he may do, is decided by package api, to which a [Desk]
// hands every request first.
package desk
