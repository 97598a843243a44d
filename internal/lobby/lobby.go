// Package lobby is the door for people with a browser and a participant token:
// the page at /join, and the module it is built on at /sdk, for pages of one's
// own. It serves files and nothing else; whoever joins does so at the other doors.
package lobby

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"callboard/sdk"
)

//go:embed page
var page embed.FS

// policy lets the page run its own scripts only, and speak with whatever server
// a token names. No other page may put it into a frame: it has the camera.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob: mediastream:; " +
	"connect-src * ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// file is what is sent for one path.
type file struct {
	body []byte
	kind string // media type
	etag string
	open bool // to pages of other origins
}

// Lobby is an http.Handler for /join and everything under /join and /sdk.
type Lobby struct{ files map[string]file }

// New reads the files, which are in the program.
func New() *Lobby {
	l := &Lobby{files: map[string]file{}}
	pages, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the name is a constant
	}
	l.add("/join/", pages, false)
	l.add("/sdk/", sdk.JS(), true)
	l.files["/join"] = l.files["/join/index.html"]
	return l
}

func (l *Lobby) add(prefix string, files fs.FS, open bool) {
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		sum := sha256.Sum256(body)
		l.files[prefix+name] = file{body: body, kind: kind(name), etag: fmt.Sprintf("%q", hex.EncodeToString(sum[:8])), open: open}
		return err
	})
	if err != nil {
		panic(err) // embedded files can be read
	}
}

// kind is the media type of a file; what the system thinks of extensions does not matter.
func kind(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".ts":
		return "text/plain; charset=utf-8"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// Paths are those that there is something for.
func (l *Lobby) Paths() iter.Seq[string] { return maps.Keys(l.files) }

// ServeHTTP sends the file of one of the paths.
func (l *Lobby) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := l.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache") // ask again: a new version of the server has new files
	h.Set("X-Content-Type-Options", "nosniff")
	if f.open {
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	if strings.HasPrefix(f.kind, "text/html") {
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}
