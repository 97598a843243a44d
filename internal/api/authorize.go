package api

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"callboard/internal/iam"
	"callboard/internal/stage"
)

// Principal is who signed a request, and what that may do. The zero Principal
// may do nothing.
type Principal struct {
	Account string // 12 digits
	ARN     string
	Root    bool // may do everything in the account, whatever Policies says

	Policies []*iam.Policy

	UserName string    // of an IAM user, "" for others
	UserID   string    // aws:userid
	Type     string    // aws:PrincipalType: Account, User or FederatedUser
	Issued   time.Time // of temporary credentials; zero for others
}

// inquiry is one request and whether it may go on.
type inquiry struct {
	*API
	ctx     context.Context
	caller  stage.Caller
	request *request
	input   *shape
	value   reflect.Value // of the input

	tags   map[stage.ARN]map[string]string // of resources that a policy has asked for
	failed error                           // why it could not be found out
}

// authorize tells whether the principal may do what the request asks for. The
// resources it is about are the members of the input with the tag iam:"resource".
// An operation without any is about all resources of a type, if the table says so
// with over, and else about "*". Every one of them must be allowed.
//
// It comes before any look at the resources, so nobody learns what exists of them
// where he may do nothing. What an input merely refers to, such as the stage of an
// ingest configuration, is not asked about, as AWS's reference has it.
func (q *inquiry) authorize() error {
	op, named := q.request.op, false
	err := q.input.resources(q.value, func(arn stage.ARN) error {
		named = true
		return q.ask(op.name, arn)
	})
	if err != nil {
		return err
	}
	all := stage.ARN{Region: q.caller.Region, Account: q.caller.Account, Type: op.about, ID: "*"}
	switch {
	case named:
	case op.about == "":
		err = q.ask(op.name, stage.ARN{})
	default:
		err = q.ask(op.name, all)
	}
	if err == nil && op.about != "" && len(q.requestTags()) > 0 {
		err = q.ask("TagResource", all) // who makes something with tags tags it
	}
	return err
}

// ask judges one operation on one resource; the zero ARN is none in particular.
func (q *inquiry) ask(operation string, arn stage.ARN) error {
	return q.judge("ivs:"+operation, arn)
}

// judge is ask for an action of any service.
func (q *inquiry) judge(action string, arn stage.ARN) error {
	by, none := &q.request.by, arn == stage.ARN{}
	ours := none || arn.Account == by.Account
	if by.Root && ours {
		return nil
	}
	resource := "*"
	if !none {
		resource = arn.String()
	}
	if !ours { // policies of one's own account do not reach beyond it
		return denied(by, action, resource, "because no resource-based policy allows the "+action+" action")
	}
	d := iam.Decide(by.Policies, iam.Request{Action: action, Resource: resource, Context: func(key string) ([]string, bool) {
		return q.condition(key, arn)
	}})
	switch {
	case q.failed != nil:
		return q.failed
	case d.Allowed:
		return nil
	}
	return denied(by, action, resource, d.Reason(action))
}

func denied(by *Principal, action, resource, reason string) error {
	return &fault{http.StatusForbidden, accessDenied,
		fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", by.ARN, action, resource, reason), true}
}

// resources calls yield for every ARN in v that stands in a member with the tag
// iam:"resource", until yield fails.
func (s *shape) resources(v reflect.Value, yield func(stage.ARN) error) error {
	if !s.named {
		return nil
	}
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			if err := s.item.resources(v.Index(i), yield); err != nil {
				return err
			}
		}
	case s.typ == arnType:
		if arn := v.Interface().(stage.ARN); arn != (stage.ARN{}) {
			return yield(arn)
		}
	case v.Kind() == reflect.String:
		return yieldText(v.String(), yield)
	default:
		for _, f := range s.fields {
			if err := f.shape.resources(v.FieldByIndex(f.index), yield); err != nil {
				return err
			}
		}
	}
	return nil
}

func yieldText(text string, yield func(stage.ARN) error) error {
	if text == "" {
		return nil
	}
	arn, err := stage.ParseARN(text)
	if err != nil {
		return invalid(err.Error())
	}
	return yield(arn)
}
