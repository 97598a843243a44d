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
	ImpliedBy  string          `json:"impliedBy,omitempty"` // action that needs this one besides
	Statements []statementView `json:"statements"`

	foreign string // account of the principal, if the resource is in another one
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

// judge decides a request of a principal as the server does. ARN and account of the
// principal may be unknown.
func judge(policies []*iam.Policy, r asked, principal, account string) verdict {
	v := verdict{Action: r.Action, Resource: r.Resource, ImpliedBy: r.impliedBy, Statements: []statementView{}}
	reason := "because no resource-based policy allows the " + r.Action + " action"
	if isForeign(r.Resource, account) {
		v.foreign = account
	} else {
		d := iam.Decide(policies, r.Request)
		v.Allowed, v.Explicit, v.Policy, v.Statement = d.Allowed, d.Explicit, d.Policy, d.Statement
		reason = d.Reason(r.Action)
		for _, f := range iam.Explain(policies, r.Request) {
			v.Statements = append(v.Statements, statementView(f))
		}
	}
	if !v.Allowed {
		user := "User"
		if principal != "" {
			user += ": " + principal
		}
		v.Message = fmt.Sprintf("%s is not authorized to perform: %s on resource: %s %s", user, r.Action, r.Resource, reason)
	}
	return v
}

// isForeign tells whether a resource is in another account. A pattern for accounts
// is in none.
func isForeign(resource, account string) bool {
	parts := strings.SplitN(resource, ":", 6)
	return len(parts) == 6 && account != "" && parts[4] != account && !strings.ContainsAny(parts[4], "*?")
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
	if v.ImpliedBy != "" {
		head = append(head, "Asked too, as "+v.ImpliedBy+" would put tags on what it makes.")
	}
	if !v.Allowed {
		head = append(head, v.Message)
	}
	switch {
	case v.foreign != "":
		head = append(head, "The policies of account "+v.foreign+" do not reach into another one, whatever they say.")
	case v.Statement == "":
		head = append(head, "No statement allows it.")
	default:
		head = append(head, "Decided by "+v.decider()+".")
	}
	for i := range head {
		head[i] = printable(head[i])
	}
	if v.foreign != "" {
		return strings.Join(head, "\n") + "\n"
	}
	rows := [][]string{{"STATEMENT", "AT", "EFFECT", "APPLIES", "WHY NOT"}}
	for _, s := range v.Statements {
		rows = append(rows, []string{s.Statement, fmt.Sprintf("%s:%d", s.Policy, s.Line), s.Effect, yesNo(s.Applies), s.Why})
	}
	return strings.Join(head, "\n") + "\n\n" + align(printableRows(rows))
}

// reports tells a verdict and those it implies, each with all its reasons.
func reports(verdicts []verdict) string {
	all := make([]string, len(verdicts))
	for i := range verdicts {
		all[i] = verdicts[i].report()
	}
	return strings.Join(all, "\n")
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
