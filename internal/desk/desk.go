package desk

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"callboard/internal/api"
	"callboard/internal/hook"
	"callboard/internal/stage"
)

// Root is what every route begins with.
const Root = "/callboard/v1"

// timeout is for one request whose answer is no stream, after its body has arrived.
const timeout = 30 * time.Second

// Options are what a Desk is built from. All members without a remark are required.
type Options struct {
	Service *stage.Service
	Hooks   *hook.Courier
	// API lets visitors in, and answers requests for routes that do not exist.
	API *api.API
	Log *slog.Logger
	// BasePath may stand before every route, or not. Optional.
	BasePath string
}

// Desk answers Callboard's own API. It is an http.Handler, safe for concurrent use.
type Desk struct {
	o      Options
	routes *node
	table  []route
}

// New builds a Desk.
func New(o Options) *Desk {
	d := &Desk{o: o, routes: new(node), table: table()}
	for i := range d.table {
		d.routes.add(&d.table[i])
	}
	return d
}

// ServeHTTP answers one request.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, d.o.BasePath+Root)
	if !ok {
		path = strings.TrimPrefix(r.URL.Path, Root)
	}
	methods, words := d.routes.find(path)
	if methods != nil && r.Method == http.MethodOptions {
		allowCORS(w, methods)
		return
	}
	route := methods[r.Method]
	if route == nil {
		d.o.API.ServeHTTP(w, r) // which answers as for any other route that is not there
		return
	}
	d.o.API.Receive(w, r, route.action(), func(ctx context.Context, v *api.Visitor) ([]byte, error) {
		return route.serve(ctx, d, &call{Visitor: v, route: route, words: words})
	})
}

// call is one request of a visitor who has been let in.
type call struct {
	*api.Visitor
	route *route
	words map[string]string // of the path, by their names
}

// allowCORS answers what a browser asks before it sends a signed request from a page
// of another host.
func allowCORS(w http.ResponseWriter, methods map[string]*route) {
	h := w.Header()
	var names []string
	for _, m := range [...]string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		if methods[m] != nil {
			names = append(names, m)
		}
	}
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", strings.Join(append(names, http.MethodOptions), ","))
	h.Set("Access-Control-Allow-Headers", "authorization, content-type, last-event-id, x-amz-date, x-amz-security-token, x-amz-content-sha256")
	w.WriteHeader(http.StatusNoContent)
}
