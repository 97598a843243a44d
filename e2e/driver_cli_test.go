//go:build e2e

package e2e

import (
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"testing"
)

// commandLine is the AWS CLI. It shows neither request ids nor statuses, and
// times are text to it.
type commandLine struct{ *tool }

func newCommandLine(t *testing.T) driver {
	t.Helper()
	b := newBoard(t)
	return commandLine{newTool(t, b, "aws", "ivs-realtime", "list-ingest-configurations", "--generate-cli-skeleton")}
}

var (
	capital  = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	cliError = regexp.MustCompile(`(?s)An error occurred \((\w+)\) when calling the \w+ operation(?: \(reached max retries: \d+\))?: (.*)`)
)

func (c commandLine) carryOut(t *testing.T, o order) outcome {
	t.Helper()
	input := map[string]any{}
	if o.Paginate { // the CLI turns the pages by itself
		input["maxResults"] = o.PageSize
	}
	maps.Copy(input, o.Input)
	named, err := json.Marshal(input)
	must(t, err)
	user := tool{&board{id: o.ID, secret: o.Secret}, c.path, c.home}
	said, err := user.run(t, "ivs-realtime", strings.ToLower(capital.ReplaceAllString(o.Operation, "$1-$2")),
		"--endpoint-url", o.Endpoint, "--region", o.Region, "--output", "json", "--cli-input-json", string(named))
	if err != nil {
		if found := cliError.FindStringSubmatch(said); found != nil {
			return outcome{Error: &trouble{Code: found[1], Message: strings.TrimSpace(found[2])}}
		}
		return outcome{Error: &trouble{Message: said, Client: true}}
	}
	out := outcome{Output: map[string]any{}}
	if said = strings.TrimSpace(said); said != "" {
		decode(t, said, &out.Output)
	}
	markTimes(out.Output)
	if o.Paginate {
		out.Pages = append(out.Pages, out.Output)
	}
	return out
}

// markTimes marks times as other drivers do, going by the names of members.
func markTimes(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			markTimes(item)
		}
	case map[string]any:
		for name, value := range v {
			if at, ok := value.(string); ok && strings.HasSuffix(name, "Time") {
				v[name] = "time:" + at
			}
			markTimes(value)
		}
	}
}
