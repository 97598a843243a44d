//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"callboard/internal/guest"
	"callboard/internal/server"
)

var patient = flag.Bool("e2e.cli", false, "tell all scenarios to the AWS CLI, which takes minutes")

// scenario is a story of calls. It is told to each driver on a server of its
// own, so it may say exactly what is there.
type scenario struct {
	name   string
	About  string `json:"about"`
	Quotas string `json:"quotas"` // the text of a quotas file
	CLI    bool   `json:"cli"`    // told to the slow AWS CLI, too
	Steps  []step `json:"steps"`
}

// step is one call and what must come of it, or something a guest does.
type step struct {
	Operation  string         `json:"operation"`
	Region     string         `json:"region"` // "" is the usual one
	Input      map[string]any `json:"input"`
	Output     map[string]any `json:"output"`
	Error      *expectedError `json:"error"`
	Eventually bool           `json:"eventually"` // may take a moment to become true

	Guest string `json:"guest"`
	Does  string `json:"does"` // attend, publish, leave
	Token string `json:"token"`

	// Unsent names the SDKs that refuse to send such a request.
	Unsent []string `json:"unsent"`
	// Unsaid tells why an SDK cannot say this, so that it skips the step.
	Unsaid map[string]string `json:"unsaid"`
}

type expectedError struct {
	Code    string `json:"code"`
	Status  int    `json:"status"`
	Message string `json:"message"`
}

// scenarios reads the suite.
func scenarios(t *testing.T) (list []scenario) {
	t.Helper()
	files, err := filepath.Glob("testdata/conformance/*.json")
	must(t, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(t, err)
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		s := scenario{name: strings.TrimSuffix(filepath.Base(file), ".json")}
		if err := dec.Decode(&s); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		t.Fatal("there is no scenario")
	}
	return list
}

// TestEverySDKIsToldTheSame tells every scenario to every SDK. What each of them
// gives its user must be what the scenario says, thus the same for all.
func TestEverySDKIsToldTheSame(t *testing.T) {
	t.Parallel()
	list := scenarios(t)
	for name, open := range map[string]func(*testing.T) driver{
		"go":  func(*testing.T) driver { return goSDK{} },
		"js":  newJavaScript,
		"py":  newBoto3,
		"cli": newCommandLine,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			told := 0
			for _, s := range list {
				if name == "cli" && !s.CLI && !*patient {
					continue
				}
				t.Run(s.name, func(t *testing.T) { told += newTelling(t, name, d, s).tell(s) })
			}
			t.Logf("%d steps", told)
		})
	}
}

// telling is a scenario on its way through one driver.
type telling struct {
	t      *testing.T
	name   string
	driver driver
	board  *board
	names  glossary
	guests map[string]*guest.Guest
	ids    map[string]bool // of requests
}

func newTelling(t *testing.T, name string, d driver, s scenario) *telling {
	b := newBoard(t, func(c *server.Config) {
		c.Linger = 0
		if s.Quotas != "" {
			quotas(t, s.Quotas)(c)
		}
	})
	return &telling{
		t: t, name: name, driver: d, board: b, guests: map[string]*guest.Guest{}, ids: map[string]bool{},
		names: glossary{"account": account, "region": region, "url": b.url, "events": strings.Replace(b.url, "http", "ws", 1) + "/events"},
	}
}

// tell carries out all steps and gives how many of them were calls.
func (s *telling) tell(story scenario) (calls int) {
	for i, step := range story.Steps {
		what := fmt.Sprintf("step %d, %s", i+1, step.Operation)
		if step.Guest != "" {
			s.act(what, step)
			continue
		}
		if step.Unsaid[s.name] != "" {
			continue
		}
		calls++
		if step.Eventually {
			eventually(s.t, patience, func() string { return s.try(step) })
		} else if wrong := s.try(step); wrong != "" {
			s.t.Fatalf("%s: %s", what, wrong)
		}
	}
	return calls
}

// try carries out one call and tells what is wrong with its outcome.
func (s *telling) try(step step) string {
	input, err := s.names.fill(step.Input)
	if err != nil {
		return err.Error()
	}
	members, _ := input.(map[string]any)
	if members == nil {
		members = map[string]any{}
	}
	o := order{Endpoint: s.board.url, ID: s.board.id, Secret: s.board.secret, Region: step.Region, Attempts: 1, Operation: step.Operation, Input: members}
	if o.Region == "" {
		o.Region = region
	}
	got := s.driver.carryOut(s.t, o)
	switch {
	case got.Error != nil && got.Error.Client:
		if !slices.Contains(step.Unsent, s.name) {
			return "it was not sent: " + got.Error.Message
		}
		return ""
	case slices.Contains(step.Unsent, s.name):
		return "it was sent, and should not have been"
	}
	if s.name != "cli" && (got.RequestID == "" || s.ids[got.RequestID]) {
		return fmt.Sprintf("the request id is %q, which is none or not new", got.RequestID)
	}
	s.ids[got.RequestID] = true
	if step.Error != nil {
		return s.judgeError(step, got)
	}
	if got.Error != nil {
		return "it failed: " + text(got.Error)
	}
	want := step.Output
	if want == nil {
		want = map[string]any{}
	}
	return s.names.compare("", got.Output, want, s.name == "go")
}

// judgeError compares an error with the one that was expected: its code, its
// status, its text, and the class by which callers of this SDK catch it.
func (s *telling) judgeError(step step, got outcome) string {
	if got.Error == nil {
		return "it succeeded: " + text(got.Output)
	}
	message, err := s.names.fill(step.Error.Message)
	if err != nil {
		return err.Error()
	}
	want := trouble{Code: step.Error.Code, Message: message.(string), Status: step.Error.Status}
	if declared(s.t, step.Operation, want.Code) {
		want.Class = want.Code
	}
	e := *got.Error
	if want.Class == "" {
		e.Class = "" // some SDKs have a class for it nevertheless
	}
	if s.name == "cli" {
		e.Status, e.Class = want.Status, want.Class
	}
	if e != want {
		return fmt.Sprintf("\n got %s\nwant %s", text(e), text(want))
	}
	return ""
}

// declared says whether the model of the service declares an error for an operation.
func declared(t *testing.T, operation, code string) bool {
	t.Helper()
	var model struct {
		Operations map[string]struct{ Errors []struct{ Shape string } }
	}
	data, err := os.ReadFile("../internal/api/testdata/model.json")
	must(t, err)
	must(t, json.Unmarshal(data, &model))
	return slices.ContainsFunc(model.Operations[operation].Errors, func(e struct{ Shape string }) bool { return e.Shape == code })
}

// act has a guest do something. Guests are not the SDK's, but give it something
// to tell about.
func (s *telling) act(what string, step step) {
	s.t.Helper()
	ctx := deadline(s.t, patience)
	if step.Token != "" {
		token, err := s.names.fill(step.Token)
		must(s.t, err)
		s.guests[step.Guest] = bearer(s.t, token.(string))
	}
	g := s.guests[step.Guest]
	var err error
	switch step.Does {
	case "attend":
		attendance(s.t, g)
	case "publish":
		_, err = g.Publish(ctx, guest.NoVideo)
	case "leave":
		err = g.Close(ctx)
	default:
		err = fmt.Errorf("guests do not %q", step.Does)
	}
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}
