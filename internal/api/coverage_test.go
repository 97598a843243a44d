package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	profile "callboard/internal/quota"
)

const coverageFile = "../../docs/coverage.md"

// evidence is what the files of the tests say of one operation.
type evidence struct {
	goldens map[string]int // golden pairs by code of the answer, "" for success
	steps   map[string]int // conformance steps by code of the answer
	drivers map[string]int // how many of the steps each driver is told
	calls   int            // calls in the end-to-end tests, the conformance steps aside
}

// TestCoverageOfTheModelIsToldAsItIs compares docs/coverage.md with what the
// model, the table of operations and the tests say; -update writes it.
func TestCoverageOfTheModelIsToldAsItIs(t *testing.T) {
	t.Parallel()
	m := readModel(t)
	got := m.coverage(t)
	if *update {
		if err := os.WriteFile(coverageFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(coverageFile)
	if err != nil || string(want) != got {
		t.Errorf("%s is not what the tests prove any more: run go test ./internal/api -run Coverage -update (%v)", coverageFile, err)
	}
}

func (m *model) coverage(t *testing.T) string {
	var b strings.Builder
	b.WriteString(coverageHead)
	total := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(m.Operations)) {
		i := slices.IndexFunc(table(), func(op operation) bool { return op.name == name })
		op, e := table()[i], m.evidence(t, name)
		done := "yes"
		if op.output == nil {
			done = "501"
		} else {
			total["done"]++
		}
		constraints := m.constraints(m.Operations[name].Input.Shape, map[string]bool{})
		total["constraints"] += constraints
		total["goldens"] += sum(e.goldens)
		total["steps"] += sum(e.steps)
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %s | %s | %d | %s | %d |\n", name, done, constraints,
			m.told(name, e), authorized(op), limited(op), sum(e.goldens), perDriver(e), e.calls)
	}
	fmt.Fprintf(&b, coverageFoot, total["done"], len(m.Operations), total["constraints"], total["goldens"], total["steps"])
	return b.String()
}

const coverageHead = `# Coverage of the API model

Written by a test from the model, the table of operations and the files of the tests; do not edit it, run
` + "`go test ./internal/api -run Coverage -update`" + `.

- **done**: the operation does what it should; 501 means that it judges the request and then says that it is not there yet.
- **constraints**: what the model demands of the input (required members, lengths, ranges, patterns, enumerations). ` + "`TestEveryConstraintOfTheModelIsKept`" + `
  breaks every one of them, ` + "`TestRandomRequestsAreAnsweredAsTheModelDemands`" + ` many at a time.
- **errors**: those the model declares. Bold ones are provoked by a golden pair, a conformance step or by breaking a constraint; the others are
  not answered, or not provoked in these tests.
- **authorization**: the members of the input, or all resources of a type, on which a policy must allow the action ` + "`ivs:<operation>`" + `; ` + "`TestOperationsAreAuthorizedAgainstTheResourcesOfTheReference`" + `.
- **limits**: AWS's rate for one account and region with ` + "`--quotas aws`" + `, and whether a quota bounds what is made.
- **goldens**: pairs of request and response in ` + "`internal/api/testdata/golden`" + `.
- **conformance**: steps in ` + "`e2e/testdata/conformance`" + ` that are told to the SDKs for Go, JavaScript and Python, and to the AWS CLI.
  A step that an SDK refuses to send counts for it, one that it has no words for does not.
- **e2e**: other places in ` + "`e2e`" + ` that call it through the Go SDK.

| operation | done | constraints | errors | authorization | limits | goldens | conformance: go, js, py, cli | e2e |
|---|---|---|---|---|---|---|---|---|
`

const coverageFoot = `
%d of %d operations are done. %d constraints are checked; %d golden pairs and %d conformance steps say what is answered.
`

// constraints counts what the model demands of a shape and all below it.
func (m *model) constraints(name string, above map[string]bool) (n int) {
	s := m.Shapes[name]
	if name == "" || above[name] {
		return 0
	}
	above[name] = true
	defer delete(above, name)
	n = len(s.Required)
	for _, there := range []bool{s.Min != nil, s.Max != nil, s.Pattern != "", len(s.Enum) > 0} {
		if there {
			n++
		}
	}
	for _, ref := range append(slices.Collect(maps.Values(s.Members)), s.Member, s.Key, s.Value) {
		n += m.constraints(ref.Shape, above)
	}
	return n
}

// told lists the declared errors, bold where a test provokes them.
func (m *model) told(name string, e evidence) string {
	var list []string
	for _, ref := range m.Operations[name].Errors {
		short := strings.TrimSuffix(ref.Shape, "Exception")
		if e.goldens[ref.Shape]+e.steps[ref.Shape] > 0 || ref.Shape == validation { // every constraint is broken
			short = "**" + short + "**"
		}
		list = append(list, short)
	}
	slices.SortFunc(list, func(a, b string) int { return strings.Compare(strings.Trim(a, "*"), strings.Trim(b, "*")) })
	return strings.Join(list, ", ")
}

// authorized tells on which resources a policy is asked.
func authorized(op operation) string {
	names := resourceMembers(op.input)
	slices.Sort(names)
	names = slices.Compact(names)
	switch {
	case op.about != "":
		names = append(names, op.about+"/\\*")
	case len(names) == 0:
		names = []string{"\\*"}
	}
	return strings.Join(names, ", ")
}

// resourceMembers finds the members that are tagged as resources.
func resourceMembers(t reflect.Type) (names []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == arnType {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		switch {
		case f.Anonymous:
		case f.Tag.Get("iam") == "resource":
			names = append(names, f.Tag.Get("json")+f.Tag.Get("path"))
		default:
			names = append(names, resourceMembers(f.Type)...)
		}
	}
	return names
}

// limited tells which limits an operation may hit.
func limited(op operation) string {
	limit := fmt.Sprintf("%v/s", profile.AWS().Rate(op.name))
	if slices.Contains(op.errors, quota) {
		limit += ", quota"
	}
	return limit
}

func perDriver(e evidence) string {
	var list []string
	for _, driver := range []string{"go", "js", "py", "cli"} {
		list = append(list, fmt.Sprint(e.drivers[driver]))
	}
	return strings.Join(list, ", ")
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// evidence looks into the files of the tests.
func (m *model) evidence(t *testing.T, name string) evidence {
	e := evidence{goldens: map[string]int{}, steps: map[string]int{}, drivers: map[string]int{}}
	status := regexp.MustCompile(`(?m)^\d{3} ?([A-Za-z]*)$`)
	for _, text := range files(t, "testdata/golden/"+name+"/*.txt") {
		if found := status.FindStringSubmatch(text); found != nil {
			e.goldens[found[1]]++
		}
	}
	for _, text := range files(t, "../../e2e/testdata/conformance/*.json") {
		e.readScenario(t, name, text)
	}
	call := regexp.MustCompile(`\.` + name + `\(`)
	for _, text := range files(t, "../../e2e/*_test.go") {
		e.calls += len(call.FindAllString(text, -1))
	}
	return e
}

func (e *evidence) readScenario(t *testing.T, name, text string) {
	var scenario struct {
		CLI   bool
		Steps []struct {
			Operation string
			Error     struct{ Code string }
			Unsaid    map[string]string
		}
	}
	if err := json.Unmarshal([]byte(text), &scenario); err != nil {
		t.Fatal(err)
	}
	for _, step := range scenario.Steps {
		if step.Operation != name {
			continue
		}
		e.steps[step.Error.Code]++
		for _, driver := range []string{"go", "js", "py", "cli"} {
			if step.Unsaid[driver] == "" && (driver != "cli" || scenario.CLI) {
				e.drivers[driver]++
			}
		}
	}
}

// files reads all that match.
func files(t *testing.T, pattern string) (texts []string) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}
