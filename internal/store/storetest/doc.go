// Package storetest is the examination that every engine behind
// [callboard/internal/stage.Store] must pass: what the port promises, said as
// tests. It knows nothing of files and SQL.
//
// An engine's own test calls [Run] with a function that opens an empty store.
package storetest
