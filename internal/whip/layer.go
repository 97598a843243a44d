package whip

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"

	"callboard/internal/live"
	"callboard/internal/sfu"
)

// What a subscriber sees can be changed while it goes on, at an address beside its session. The address is announced by
// links of these relations in the answer that made the session (RFC 8288). The second one is that of the layer extension
// in early drafts of WHEP; Amazon's SDKs follow it, ask with GET and choose with POST (docs/interop.md).
const (
	layerPath      = "/layer"
	layerRelation  = "urn:callboard:whep:ext:layer"
	layerExtension = "urn:ietf:params:whep:ext:core:layer"
	typeJSON       = "application/json"
)

// choice is the body of a PUT.
type choice struct {
	Layer *string `json:"layer"` // "auto", or a layer's name
	Video *bool   `json:"video"`
}

// view is the answer to a GET.
type view struct {
	Layers   []shownLayer `json:"layers"`
	Selected string       `json:"selected"`
	Auto     bool         `json:"auto"`
	Video    bool         `json:"video"`
	Paused   bool         `json:"paused"`
}

// shownLayer has the name and the rates twice: ours, and those of the extension.
type shownLayer struct {
	Label         string  `json:"label"`
	Width         int     `json:"width"`
	Height        int     `json:"height"`
	BitsPerSecond int     `json:"bitsPerSecond"`
	FPS           float64 `json:"fps"`
	Active        bool    `json:"active"`

	EncodingID      string  `json:"encodingId"`
	Selected        bool    `json:"selected"` // it is the one that is sent
	Bitrate         int     `json:"bitrate"`  // kbit/s
	FramesPerSecond float64 `json:"framesPerSecond"`
}

// encoding is the body of a POST, by the extension; none is to let the server choose.
type encoding struct {
	EncodingID string `json:"encodingId"`
}

// serveLayer answers on the address of a subscription's choice of layers.
func (e *Endpoint) serveLayer(w http.ResponseWriter, r *http.Request, id string) {
	const methods = "GET, PUT, POST, OPTIONS"
	serve := e.view
	switch r.Method {
	case http.MethodOptions:
		preflight(w.Header(), r, methods)
		w.WriteHeader(http.StatusNoContent)
		return
	case http.MethodGet:
	case http.MethodPut:
		serve = choose(readChoice)
	case http.MethodPost:
		serve = choose(readEncoding)
	default:
		e.refuseMethod(w, r, methods)
		return
	}
	media := e.session(w, r, id)
	if media == nil {
		return
	}
	err := e.recognise(r, media)
	if err == nil && !media.Receives() {
		err = errNoSession
	}
	if err == nil {
		err = serve(w, r, media)
	}
	if err != nil {
		e.fail(w, r, err)
	}
}

func (e *Endpoint) view(w http.ResponseWriter, r *http.Request, media *live.Media) error {
	v, err := media.View(r.Context())
	if err != nil {
		return explainChoice(err)
	}
	w.Header().Set("Content-Type", typeJSON)
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(show(v)) // a client that is gone needs no error
	return nil
}

func show(v sfu.View) view {
	out := view{Layers: []shownLayer{}, Selected: v.Selected, Auto: v.Auto, Video: v.Video, Paused: v.Paused}
	bits, frames := 0, 0.0
	for _, l := range slices.Backward(v.Layers) { // Amazon's SDKs rank layers by these: none is said to have less than a lower one
		bits, frames = max(bits, l.Bitrate), max(frames, l.FrameRate)
		out.Layers = append(out.Layers, shownLayer{
			Label: l.Label, Width: l.Width, Height: l.Height, BitsPerSecond: l.Bitrate, FPS: math.Round(l.FrameRate), Active: l.Active,
			EncodingID: l.Label, Selected: l.Label == v.Selected, Bitrate: (bits + 500) / 1000, FramesPerSecond: math.Round(frames),
		})
	}
	slices.Reverse(out.Layers)
	return out
}

// choose does what the body asks for.
func choose(change func(body string) (sfu.Change, error)) func(http.ResponseWriter, *http.Request, *live.Media) error {
	return func(w http.ResponseWriter, r *http.Request, media *live.Media) error {
		body, err := read(w, r, typeJSON)
		if err != nil {
			return err
		}
		wanted, err := change(body)
		if err != nil {
			return err
		}
		if err := media.Choose(r.Context(), wanted); err != nil {
			return explainChoice(err)
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

// readChoice reads the body of a PUT.
func readChoice(body string) (sfu.Change, error) {
	var c choice
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		return sfu.Change{}, &problem{status: http.StatusBadRequest, detail: `The body has to be like {"layer":"auto|hi|mid|low","video":true|false}`}
	}
	if c.Layer == nil && c.Video == nil {
		return sfu.Change{}, &problem{status: http.StatusBadRequest, detail: "The body names neither a layer nor whether video is wanted"}
	}
	if c.Layer != nil && *c.Layer == "" {
		return sfu.Change{}, &problem{status: http.StatusBadRequest, detail: "The layer has no name"}
	}
	if c.Layer != nil && *c.Layer == "auto" {
		*c.Layer = ""
	}
	return sfu.Change(c), nil
}

// readEncoding reads the body of a POST. There is one video, so what else the
// extension has in it does not matter.
func readEncoding(body string) (sfu.Change, error) {
	var c encoding
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		return sfu.Change{}, &problem{status: http.StatusBadRequest, detail: `The body has to be like {"mediaId":"1","encodingId":"hi"}`}
	}
	return sfu.Change{Layer: &c.EncodingID}, nil
}

func explainChoice(err error) error {
	switch {
	case errors.Is(err, sfu.ErrClosed):
		return errNoSession
	case errors.Is(err, sfu.ErrNoLayer):
		return &problem{status: http.StatusConflict, detail: "There is no such layer; what is received stays as it is"}
	}
	return err
}
