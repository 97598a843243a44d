package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"callboard/internal/iam"
)

// verdict is what policies say about a request, as --json prints it.
type verdict struct {
	Action     string          `json:"action"`
	Resource   string          `json:"resource"`
	Allowed    bool            `json:"allowed"`
	Explicit   bool            `json:"explicitDeny"`
	Policy     string          `json:"policy,omitempty"`    // who decided
	Statement  string          `json:"statement,omitempty"` // of it
	Message    string          `json:"message,omitempty"`   // of the API to whom it denies
	Statements []statementView `json:"statements"`
}

// statementView is what one statement says.
type statementView struct {
	Policy    string `json:"policy"`
	Statement string `json:"statement"`
	Line      int    `json:"line"`
	Effect    string `json:"effect"`
	Applies   bool   `json:"applies"`
	Why       string `json:"why,omitempty"`
}

// judge decides a request of a principal, whose ARN may be unknown.
func judge(policies []*iam.Policy, r iam.Request, principal string) verdict {
	d := iam.Decide(policies, r)
	v := verdict{Action: r.Action, Resource: r.Resource, Allowed: d.Allowed, Explicit: d.Explicit, Policy: d.Policy, Statement: d.Statement}
	if !d.Allowed {
		user := "User"
		if principal != "" {
			user += ": " + principal
		}
		v.Message = fmt.Sprintf("%s is not authorized to perform: %s on resource: %s %s", user, r.Action, r.Resource, d.Reason(r.Action))
	}
	for _, f := range iam.Explain(policies, r) {
		v.Statements = append(v.Statements, statementView(f))
	}
	return v
}

func (v *verdict) word() string {
	if v.Allowed {
		return "ALLOWED"
	}
	return "DENIED"
}

// decider is the statement that decided.
func (v *verdict) decider() string {
	if v.Statement == "" {
		return "no statement"
	}
	return v.Statement + " of " + v.Policy
}

// report tells one verdict with all its reasons.
func (v *verdict) report() string {
	head := []string{v.word() + "  " + v.Action + " on " + v.Resource}
	if !v.Allowed {
		head = append(head, v.Message)
	}
	if v.Statement == "" {
		head = append(head, "No statement allows it.")
	} else {
		head = append(head, "Decided by "+v.decider()+".")
	}
	for i := range head {
		head[i] = printable(head[i])
	}
	rows := [][]string{{"STATEMENT", "AT", "EFFECT", "APPLIES", "WHY NOT"}}
	for _, s := range v.Statements {
		rows = append(rows, []string{s.Statement, fmt.Sprintf("%s:%d", s.Policy, s.Line), s.Effect, yesNo(s.Applies), s.Why})
	}
	return strings.Join(head, "\n") + "\n\n" + align(printableRows(rows))
}

// verdictTable tells several verdicts, a line for each.
func verdictTable(verdicts []verdict) string {
	rows := [][]string{{"DECISION", "ACTION", "RESOURCE", "DECIDED BY"}}
	for _, v := range verdicts {
		rows = append(rows, []string{v.word(), v.Action, v.Resource, v.decider()})
	}
	return align(printableRows(rows))
}

// soundness says of policies that were only read that they can be used.
func soundness(policies []*iam.Policy) string {
	var b strings.Builder
	for _, p := range policies {
		fmt.Fprintf(&b, "%s is a policy with %s", printable(p.Name), count(p.Statements(), "statement"))
		if n := len(p.Doubts()); n > 0 {
			fmt.Fprintf(&b, ", and %s", count(n, "warning"))
		}
		b.WriteString(".\n")
	}
	return b.String()
}

func count(n int, what string) string {
	if n == 1 {
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func printableRows(rows [][]string) [][]string {
	for _, row := range rows {
		for i := range row {
			row[i] = printable(row[i])
		}
	}
	return rows
}

func printVerdictsJSON(out io.Writer, policies []*iam.Policy, verdicts []verdict) error {
	type view struct {
		Name       string   `json:"name"`
		Statements int      `json:"statements"`
		Warnings   []string `json:"warnings"`
	}
	answer := struct {
		Policies  []view    `json:"policies"`
		Decisions []verdict `json:"decisions"`
	}{make([]view, len(policies)), verdicts}
	for i, p := range policies {
		answer.Policies[i] = view{p.Name, p.Statements(), append([]string{}, p.Doubts()...)}
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "    ")
	e.SetEscapeHTML(false)
	return e.Encode(answer)
}
