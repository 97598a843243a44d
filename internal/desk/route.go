package desk

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"callboard/internal/stage"
)

// route is one row of the table.
type route struct {
	// name is the verb of the action "callboard:<name>", and what log and metrics
	// call the route.
	name string
	// path is what follows [Root]; words in braces are members of the input.
	method, path string
	about        string // one line
	input        *input
	output       reflect.Type      // of the JSON answer; nil if there is none
	media        map[string]string // of an answer that is a stream: media type, what it is
	messages     reflect.Type      // what is in such a stream, if that is JSON
	open         bool              // needs no signature
	serve        func(context.Context, *Desk, *call) ([]byte, error)
}

// nothing is the output of a route that answers 204.
type nothing struct{}

// action is what policies call the route.
func (r *route) action() string {
	if r.open {
		return r.name
	}
	return "callboard:" + r.name
}

// answer makes a row whose handler gives a value to be sent as JSON; a nil one is
// sent as 204. A wrong tag in In panics here, thus in the first test.
func answer[In, Out any](name, method, path, about string, run func(*Desk, context.Context, *call, *In) (*Out, error)) route {
	r := route{name: name, method: method, path: path, about: about, input: compile(reflect.TypeFor[In](), path), output: reflect.TypeFor[Out]()}
	r.serve = func(ctx context.Context, d *Desk, c *call) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		in, err := admit[In](ctx, c)
		if err != nil {
			return nil, err
		}
		out, err := run(d, ctx, c, in)
		if out == nil || err != nil {
			return nil, err
		}
		return json.Marshal(out)
	}
	return r
}

// stream makes a row whose handler writes its answer itself, to what
// [api.Visitor.Stream] gives, in one of several media types. There is no bound to
// the time it takes. An error before the first byte is told as any other.
func stream[In any](name, path, about string, media map[string]string, run func(*Desk, context.Context, *call, *In) error) route {
	r := route{name: name, method: http.MethodGet, path: path, about: about, input: compile(reflect.TypeFor[In](), path), media: media}
	r.serve = func(ctx context.Context, d *Desk, c *call) ([]byte, error) {
		in, err := admit[In](ctx, c)
		if err != nil {
			return nil, err
		}
		return nil, run(d, ctx, c, in)
	}
	return r
}

// admit reads the input of a request and asks whether the visitor may do what he
// wants: to the stage in the path, if there is one. That comes before any complaint
// about the rest, so nobody learns anything where he may do nothing.
func admit[In any](ctx context.Context, c *call) (*In, error) {
	if !c.route.open {
		arn, err := c.stage()
		if err == nil {
			err = c.May(ctx, arn)
		}
		if err != nil {
			return nil, err
		}
	}
	in := new(In)
	if err := c.route.input.decode(c, reflect.ValueOf(in).Elem()); err != nil {
		return nil, err
	}
	return in, nil
}

// stage is the one that the path names, by its id alone: account and region are
// those that the request was signed for. The zero ARN if it names none.
func (c *call) stage() (stage.ARN, error) {
	id, ok := c.words["stage"]
	if !ok {
		return stage.ARN{}, nil
	}
	arn := stage.ARN{Region: c.Caller.Region, Account: c.Caller.Account, Type: stage.TypeStage, ID: id}
	if _, err := stage.ParseARN(arn.String()); err != nil {
		return stage.ARN{}, invalid("stage must be the last part of the ARN of a stage: letters, digits and hyphens")
	}
	return arn, nil
}

// node is one part of a path and all that can follow it.
type node struct {
	parts   map[string]*node
	any     *node // a word
	methods map[string]*route
	names   []string // of the words on the way here
}

func (n *node) add(r *route) {
	var names []string
	for part := range strings.SplitSeq(strings.TrimPrefix(r.path, "/"), "/") {
		word, isWord := strings.CutPrefix(part, "{")
		if isWord {
			names = append(names, strings.TrimSuffix(word, "}"))
			if n.any == nil {
				n.any = new(node)
			}
			n = n.any
			continue
		}
		if n.parts == nil {
			n.parts = map[string]*node{}
		}
		if n.parts[part] == nil {
			n.parts[part] = new(node)
		}
		n = n.parts[part]
	}
	if n.methods == nil {
		n.methods = map[string]*route{}
	}
	n.methods[r.method], n.names = r, names
}

// find gives what can be done at a path, nil if there is none, and the words in it.
func (n *node) find(path string) (methods map[string]*route, words map[string]string) {
	var found []string
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		next := n.parts[part]
		if next == nil && n.any != nil && part != "" {
			next, found = n.any, append(found, part)
		}
		if next == nil {
			return nil, nil
		}
		n = next
	}
	words = make(map[string]string, len(found))
	for i, name := range n.names {
		words[name] = found[i]
	}
	return n.methods, words
}

// invalid is the error of a request that cannot be understood.
func invalid(message string) error { return &stage.Error{Kind: stage.Invalid, Message: message} }
