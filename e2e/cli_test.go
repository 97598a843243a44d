//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"callboard/internal/guest"
)

// tool is a program of AWS that a user may have. Distributions ship versions
// too old to know the service, so its absence is never a failure.
type tool struct {
	*board
	path string
	home string // without the configuration of whoever runs the test
}

// newTool finds a program and tries whether it knows the service.
func newTool(t *testing.T, b *board, program string, probe ...string) *tool {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is missing", program)
	}
	c := &tool{board: b, path: path, home: t.TempDir()}
	if _, err := c.run(t, probe...); err != nil {
		t.Skipf("this %s does not know ivs-realtime", program)
	}
	return c
}

func (c *tool) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(deadline(t, time.Minute), c.path, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.home, "AWS_ACCESS_KEY_ID=" + c.id, "AWS_SECRET_ACCESS_KEY=" + c.secret,
		"AWS_DEFAULT_REGION=" + region, "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true", "PYTHONUTF8=1"}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return out.String() + errs.String(), err
}

// watched is a stage with one publisher and one viewer.
func watched(t *testing.T, b *board) *ledger {
	t.Helper()
	l := &ledger{board: b, arn: b.stage(t)}
	publisher, viewer := l.actor(t, "publisher"), l.actor(t, "viewer")
	l.publish(t, publisher, guest.NoVideo)
	l.attend(t, viewer)
	l.agrees(t, patience)
	return l
}

func TestTheAWSCommandLineListsParticipants(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	aws := newTool(t, b, "aws", "ivs-realtime", "list-stages", "--endpoint-url", b.url)
	l := watched(t, b)
	list := func(args ...string) (ids []string) {
		args = append([]string{"ivs-realtime", "list-participants", "--endpoint-url", b.url, "--output", "json",
			"--stage-arn", l.arn, "--session-id", l.session}, args...)
		out, err := aws.run(t, args...)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var page struct {
			Participants []struct{ ParticipantID string }
		}
		decode(t, out, &page)
		for _, p := range page.Participants {
			ids = append(ids, p.ParticipantID)
		}
		return ids
	}
	publisher, viewer := l.people[0].ID(), l.people[1].ID()
	equal(t, "everyone", list("--next-token", ""), []string{viewer, publisher})
	equal(t, "who published", list("--filter-by-published"), []string{publisher})
	equal(t, "who never published", list("--no-filter-by-published"), []string{viewer})
	equal(t, "one user", list("--filter-by-user-id", "viewer"), []string{viewer})
	out, err := aws.run(t, "ivs-realtime", "get-stage", "--endpoint-url", b.url, "--arn", unknown().stage)
	if err == nil || !strings.Contains(out, "ResourceNotFoundException") || !strings.Contains(out, unknown().stage) {
		t.Errorf("an unknown stage is told as %s", out)
	}
}

func TestBoto3DoesWhatItsUsersDo(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	python := newTool(t, b, "python3", "-c", `import boto3; boto3.client("ivs-realtime")`)
	l := watched(t, b)
	script, err := testdata.ReadFile("testdata/smoke.py")
	must(t, err)
	out, err := python.run(t, "-c", string(script), b.url, region, l.arn, l.session)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	publisher, viewer := l.people[0].ID(), l.people[1].ID()
	want := map[string][]string{
		"everyone": {viewer, publisher}, "connected": {viewer, publisher}, "pages": {viewer, publisher},
		"never published": {viewer}, "nobody": nil,
	}
	said := map[string]bool{}
	for line := range strings.Lines(out) {
		var a struct {
			What, Message, ExceptionMessage, Code string
			Participants                          []struct{ ParticipantID string }
			IDs                                   []string
			Tags                                  map[string]string
		}
		must(t, json.Unmarshal([]byte(line), &a))
		said[a.What] = true
		for _, p := range a.Participants {
			a.IDs = append(a.IDs, p.ParticipantID)
		}
		equal(t, a.What, a.IDs, want[a.What])
		switch a.What {
		case "two filters":
			equal(t, "both texts of an error", a.Message, a.ExceptionMessage)
		case "not there yet":
			equal(t, "code", a.Code, "OperationNotSupportedException")
		case "tags":
			equal(t, "tags", a.Tags, map[string]string{"a b": "é/"})
		case "untagged":
			equal(t, "tags", a.Tags, map[string]string{})
		}
	}
	equal(t, "answers", len(said), 11)
}
