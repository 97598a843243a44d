package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callboard/internal/iam"
	"callboard/internal/keyring"
	"callboard/internal/server"
)

func policyCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say what policies allow, and why",
		Long: `Check decides a request as the server would and says why: which statement decided, and
of every other one why it does not apply. Without --action it only reads the policies.

What is sound but can have no effect, such as a misspelt action, is warned of on
stderr. The exit status is 0 if all that was asked for is allowed, else 1.

With --key the policies of an access key are taken from the data directory, and the
principal of the request is that key's. Nobody reaches into another account than that
of the principal.

Whoever makes something with tags must be allowed ivs:TagResource, too, on all of its
type. An action that makes something is asked for together with that if --context has
an aws:RequestTag/... or aws:TagKeys.

A --context gives a condition key its value, once for each value. The time, the tag
keys of a request (aws:TagKeys) and its region are known without it, from the clock,
the aws:RequestTag/... and the --resource; keys not given are absent.`,
		Example: `  callboard policy check --policy radio.json
  callboard policy check --policy IVSReadOnlyAccess --action GetStage --action DeleteStage
  callboard policy check --policy radio.json --action ivs:CreateParticipantToken \
      --resource arn:aws:ivs:us-east-1:000000000000:stage/AbCdEfGhIjKl \
      --context aws:ResourceTag/team=radio --context aws:SourceIp=203.0.113.9
  callboard policy check --key AKIAEXAMPLEEXAMPLE12 --action DeleteStage
  cat radio.json | callboard policy check --policy - --action CreateStage --json`,
	}
	var q policyQuestion
	var context []string
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&q.policies, "policy", nil, "`file` of a policy, - for stdin, or name of a managed one; may be repeated")
	flags.StringVar(&q.key, "key", "", "`id` of an access key whose policies are taken")
	flags.StringArrayVar(&q.actions, "action", nil, "`name` of what is asked for, such as ivs:GetStage; may be repeated")
	flags.StringArrayVar(&q.resources, "resource", nil, "`ARN` that it is about (default: all of the type the action is about); may be repeated")
	flags.StringArrayVar(&context, "context", nil, "`key=value` of the request, such as aws:RequestTag/team=radio; may be repeated")
	flags.BoolVar(&q.json, "json", false, "print JSON")
	load := addSettings(cmd, "data", "files")
	cmd.Args = func(_ *cobra.Command, args []string) (err error) {
		if err := noArgs(cmd, args); err != nil {
			return err
		}
		return q.complete(context)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		policies, err := gatherPolicies(q.policies, cmd.InOrStdin())
		if err != nil {
			return err
		}
		if q.key != "" {
			owned, err := q.takeKey(load)
			if err != nil {
				return err
			}
			policies = append(policies, owned...)
		}
		for _, warning := range q.warnings(policies) {
			fmt.Fprintln(cmd.ErrOrStderr(), "callboard: warning:", printable(warning))
		}
		err = q.answer(policies, cmd.OutOrStdout())
		if len(q.absent) > 0 {
			fmt.Fprintln(cmd.ErrOrStderr(), "callboard: taken as absent, for want of a --context:", strings.Join(slices.Sorted(maps.Keys(q.absent)), ", "))
		}
		return err
	}
	return cmd
}

// errDenied ends a check that said no, as its output has told already.
var errDenied = errors.New("denied")

// policyQuestion is what is asked about policies.
type policyQuestion struct {
	policies, actions, resources []string
	context                      map[string][]string // by the key's usual spelling
	absent                       map[string]bool     // keys that statements asked for in vain
	key                          string              // id of an access key
	json                         bool
}

// complete checks the command line and puts in what it leaves out.
func (q *policyQuestion) complete(context []string) error {
	switch {
	case len(q.policies) == 0 && q.key == "":
		return errors.New("check needs at least one --policy, or a --key")
	case len(q.actions) == 0 && len(q.resources)+len(context) > 0:
		return errors.New("check needs an --action to decide about")
	}
	for i, action := range q.actions {
		if !strings.Contains(action, ":") {
			q.actions[i] = "ivs:" + action
		}
	}
	q.context, q.absent = make(map[string][]string), make(map[string]bool)
	for _, pair := range context {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || !strings.Contains(name, ":") {
			return fmt.Errorf("--context is %q: it must be key=value, such as aws:RequestTag/team=radio", pair)
		}
		key, _ := iam.ContextKey(name)
		q.context[key] = append(q.context[key], value)
	}
	return nil
}

// takeKey gives the policies of the access key and makes it the principal,
// where the command line names no other.
func (q *policyQuestion) takeKey(load func() (server.Config, error)) ([]*iam.Policy, error) {
	cfg, err := load()
	if err != nil {
		return nil, err
	}
	path, err := keysPath(&cfg)
	if err != nil {
		return nil, err
	}
	keys, err := keyring.Read(path)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(keys, func(k keyring.Key) bool { return k.ID == q.key })
	if i < 0 {
		return nil, fmt.Errorf("there is no access key %.64q in %s", q.key, path)
	}
	k := &keys[i]
	if state := k.State(time.Now()); state != "active" {
		return nil, fmt.Errorf("the access key %s is %s, so it may do nothing", q.key, state)
	}
	principal := server.PrincipalOf(k)
	issued := ""
	if !principal.Issued.IsZero() {
		issued = principal.Issued.UTC().Format(time.RFC3339)
	}
	for key, value := range map[string]string{
		"aws:PrincipalArn": principal.ARN, "aws:PrincipalAccount": principal.Account, "aws:PrincipalType": principal.Type,
		"aws:username": principal.UserName, "aws:userid": principal.UserID,
		"aws:TokenIssueTime": issued,
	} {
		if _, given := q.context[key]; !given && value != "" {
			q.context[key] = []string{value}
		}
	}
	return k.Rights(), nil
}

// warnings are the doubts about policies and question, each once.
func (q *policyQuestion) warnings(policies []*iam.Policy) []string {
	var all []string
	for _, p := range policies {
		all = append(all, p.Doubts()...)
	}
	for _, r := range q.requests(time.Time{}) {
		all = append(all, r.Request.Doubts()...)
	}
	for key := range q.context {
		if _, provided := iam.ContextKey(key); !provided {
			all = append(all, "no request has "+key)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (q *policyQuestion) answer(policies []*iam.Policy, out io.Writer) error {
	now := time.Now()
	requests := q.requests(now)
	verdicts := make([]verdict, len(requests))
	var failed error
	implied := 0
	for i, r := range requests {
		verdicts[i] = judge(policies, r, q.first("aws:PrincipalArn", ""), q.first("aws:PrincipalAccount", ""))
		if !verdicts[i].Allowed {
			failed = errDenied
		}
		if r.impliedBy != "" {
			implied++
		}
	}
	var err error
	switch {
	case q.json:
		err = printVerdictsJSON(out, policies, verdicts)
	case len(verdicts) == 0:
		_, err = fmt.Fprint(out, soundness(policies))
	case len(verdicts)-implied == 1:
		_, err = fmt.Fprint(out, reports(verdicts))
	default:
		_, err = fmt.Fprint(out, verdictTable(verdicts))
	}
	if err != nil {
		return err
	}
	return failed
}
