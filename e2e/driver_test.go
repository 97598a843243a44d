//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// driver carries out one order with the software of one kind of user. What
// comes back is spelled alike by all of them: members have their names on the
// wire, what the SDK holds for a time is text that begins with "time:", and
// metadata are left out.
type driver interface {
	carryOut(*testing.T, order) outcome
}

// order is one call of an operation, or a walk with the SDK's paginator.
type order struct {
	Endpoint  string         `json:"endpoint"`
	ID        string         `json:"id"`
	Secret    string         `json:"secret"`
	Region    string         `json:"region"`
	Attempts  int            `json:"attempts,omitempty"` // 0 leaves it to the SDK
	Operation string         `json:"operation"`
	Paginate  bool           `json:"paginate,omitempty"`
	PageSize  int            `json:"pageSize,omitempty"`
	Input     map[string]any `json:"input"`
}

// outcome is what an SDK gives its user.
type outcome struct {
	Output    map[string]any   `json:"output"`
	Pages     []map[string]any `json:"pages"` // of a walk
	Error     *trouble         `json:"error"`
	RequestID string           `json:"requestId"` // "" where the software does not show it
}

// trouble is an error as an SDK shows it.
type trouble struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Status  int    `json:"status"` // 0 where the software does not show it
	Class   string `json:"class"`  // of the exception, "" for the general one
	Client  bool   `json:"client"` // the SDK itself refused to send the request
}

// process is a driver in another language: a program that reads orders from its
// input and writes outcomes, a line of JSON each.
type process struct {
	mu      sync.Mutex
	orders  io.WriteCloser
	answers *bufio.Reader
	errs    bytes.Buffer
}

// newProcess starts a driver, which ends with the test.
func newProcess(t *testing.T, program string, args ...string) *process {
	t.Helper()
	p := new(process)
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_EC2_METADATA_DISABLED=true", "PYTHONUTF8=1"}
	cmd.Stderr = &p.errs
	var err error
	p.orders, err = cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	p.answers = bufio.NewReader(out)
	must(t, cmd.Start())
	t.Cleanup(func() { p.orders.Close(); cmd.Wait() })
	return p
}

func (p *process) carryOut(t *testing.T, o order) (out outcome) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	must(t, json.NewEncoder(p.orders).Encode(o))
	line, err := p.answers.ReadBytes('\n')
	if err != nil {
		t.Fatalf("the driver has ended: %v\n%s", err, &p.errs)
	}
	must(t, json.Unmarshal(line, &out))
	return out
}

// newJavaScript is the AWS SDK for JavaScript under Node.
func newJavaScript(t *testing.T) driver {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		needed(t, "node")
	}
	if _, err := os.Stat("js/node_modules/@aws-sdk/client-ivs-realtime"); err != nil {
		needed(t, "the AWS SDK for JavaScript (run npm ci in e2e/js)")
	}
	return newProcess(t, node, "--no-warnings", "js/driver.mjs")
}

// newBoto3 is boto3, where it is new enough to know the service.
func newBoto3(t *testing.T) driver {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is missing")
	}
	if exec.CommandContext(t.Context(), python, "-c", probeBoto3).Run() != nil {
		t.Skip("boto3 is missing or too old to know ivs-realtime")
	}
	return newProcess(t, python, "testdata/driver.py")
}

// probeBoto3 fails where boto3 lacks a member that the newest operations have.
const probeBoto3 = `import botocore.session
model = botocore.session.get_session().get_service_model("ivs-realtime")
model.operation_model("CreateIngestConfiguration").input_shape.members["redundantIngest"]
import boto3`
