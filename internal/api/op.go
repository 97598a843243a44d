package api

import (
	"context"
	"net/http"
	"reflect"

	"callboard/internal/stage"
)

// operation is one row of the table.
type operation struct {
	name, method, path string
	errors             []string     // the errors it may answer besides the common ones
	input, output      reflect.Type // output is nil while this server does not do the operation
	about              string       // type of the resources it is about when the input names none, or that it makes; "" is none

	// serve decodes, runs and encodes; it appends the response to buf.
	serve func(ctx context.Context, a *API, c stage.Caller, r *request, buf []byte) ([]byte, error)
}

// nothing is the output of an operation that answers with an empty body.
type nothing struct{}

// appender is an output with a faster way to JSON than reflection.
type appender interface {
	appendJSON(b []byte) []byte
}

// op makes a row from a method of the API. The constraints are compiled from
// the `check` tags of In, and what must be allowed from its `iam` tags; a wrong tag
// panics here, thus in the first test.
func op[In, Out any](name string, run func(*API, context.Context, stage.Caller, *In) (*Out, error), errors ...string) operation {
	in := compileInput(reflect.TypeFor[In]())
	return operation{
		name: name, method: http.MethodPost, path: "/" + name, errors: errors,
		input: reflect.TypeFor[In](), output: reflect.TypeFor[Out](),
		serve: func(ctx context.Context, a *API, c stage.Caller, r *request, buf []byte) ([]byte, error) {
			if err := r.checkMedia(in.hasBody()); err != nil {
				return nil, err
			}
			input := new(In)
			value := reflect.ValueOf(input).Elem()
			if err := in.decode(r, value); err != nil {
				return nil, err
			}
			q := inquiry{API: a, ctx: ctx, caller: c, request: r, input: in, value: value}
			if err := q.authorize(); err != nil {
				return nil, err
			}
			output, err := run(a, ctx, c, input)
			if err != nil {
				return nil, err
			}
			return encode(buf, output)
		},
	}
}

// at moves a row to another method and path.
func (o operation) at(method, path string) operation {
	o.method, o.path = method, path
	return o
}

// over tells the type of the resources that a row is about when its input names
// none of them: a create is about stage/*, and so is a list.
func (o operation) over(typ string) operation {
	o.about = typ
	return o
}

// planned makes a row for an operation that this server understands but does
// not do yet. It tells what is wrong with a request; one that is right is
// answered with 501, a status that no SDK tries again. check may be nil.
func planned[In any](name string, check func(*In) error) operation {
	later := frontDoor(http.StatusNotImplemented, "OperationNotSupportedException",
		"The operation "+name+" is not supported: this server does not do it yet.")
	o := op(name, func(_ *API, _ context.Context, _ stage.Caller, in *In) (*nothing, error) {
		if check != nil {
			if err := check(in); err != nil {
				return nil, err
			}
		}
		return nil, later
	})
	o.output = nil
	return o
}
