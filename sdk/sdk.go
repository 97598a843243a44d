// Package sdk holds the client libraries that the server hands out: for
// browsers, the ES module in js.
package sdk

import (
	"embed"
	"io/fs"
)

//go:embed js/*.js js/stage.d.ts
var files embed.FS

// JS gives the files of the browser's module, stage.js being the one to import.
func JS() fs.FS {
	js, err := fs.Sub(files, "js")
	if err != nil {
		panic(err) // the name is a constant
	}
	return js
}
