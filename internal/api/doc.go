// Package api speaks the Amazon IVS Real-Time control API: 39 operations, JSON
// over HTTP, signed with SigV4.
//
// [API] is one http.Handler around one table of operations. A request is
// routed, its body is read, its signature verified, the call counted, and only then
// is anything of it understood: strangers learn nothing about shapes. The body, the path
// and the query become a plain input struct whose `check` tags declare the
// constraints of the service model and whose `iam` tags declare which resources
// the policies of the caller must allow; a method of the API turns that input into
// one call of [stage.Service] and the result into a plain output struct. No
// method of an operation sees a request or a response: reading and writing
// HTTP happens in one place, so nothing can be forgotten.
//
// The wire types are written by hand and judged by the model: a test walks the
// table beside the service model and demands the same names, types, limits and
// errors. Rules that would also hold without HTTP live in package stage.
package api
