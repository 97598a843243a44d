//go:build e2e

package e2e

import (
	"crypto/elliptic"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"testing"

	"callboard/internal/stage"
)

// thousands is how many of everything there are.
const thousands = 2500

// populous is a server with thousands of every resource that can be listed.
type populous struct {
	*roll
	walks []*walkable
}

// walkable is a list that is worth a walk.
type walkable struct {
	operation, list, id string // id is the member that tells rows apart
	input               map[string]any
	python              bool // boto3 and the AWS CLI have a paginator for it
	few                 bool // hundreds will do: the race detector makes the database slow
	want                []string
}

func newPopulous(t *testing.T) *populous {
	t.Helper()
	c := &populous{roll: newRoll(t)}
	c.seat(t)
	c.remember(t)
	c.documents(t)
	return c
}

// seat writes thousands into a session, and thousands of events of one of them.
func (c *populous) seat(t *testing.T) {
	t.Helper()
	c.session = "st-AAAABBBBCCCCD"
	people := &walkable{operation: "ListParticipants", list: "participants", id: "participantId",
		input: map[string]any{"stageArn": c.stage.String(), "sessionId": c.session}}
	events := &walkable{operation: "ListParticipantEvents", list: "events", id: "name",
		input: map[string]any{"stageArn": c.stage.String(), "sessionId": c.session, "participantId": "p-0000"}}
	must(t, c.facts.Update(t.Context(), func(tx stage.Tx) error {
		s := stage.Session{Stage: c.stage, ID: c.session, Started: tx.Now()}
		err := tx.PutSession(&s)
		for i := range int64(thousands) {
			p := stage.Participant{Session: s.No, Seq: i + 1, ID: fmt.Sprintf("p-%04d", i), FirstJoin: tx.Now(), Detail: new(stage.Detail)}
			name := []stage.EventName{stage.PublishStarted, stage.PublishStopped}[i%2]
			err = errors.Join(err, tx.PutParticipant(&p), tx.AppendEvent(&stage.Event{Stage: c.stage, Session: s.No, Participant: "p-0000", Name: name, At: tx.Now()}))
			people.want = append(people.want, p.ID)
			events.want = append(events.want, string(name))
		}
		return err
	}))
	slices.Reverse(people.want)
	slices.Reverse(events.want)
	c.walks = append(c.walks, people, events)
}

// remember gives a stage a long history.
func (c *populous) remember(t *testing.T) {
	t.Helper()
	arn, err := stage.ParseARN(c.board.stage(t))
	must(t, err)
	w := &walkable{operation: "ListStageSessions", list: "stageSessions", id: "sessionId", input: map[string]any{"stageArn": arn.String()}}
	must(t, c.facts.Update(t.Context(), func(tx stage.Tx) (err error) {
		for i := range thousands {
			s := stage.Session{Stage: arn, ID: fmt.Sprintf("st-%013d", i), Started: tx.Now(), Ended: tx.Now()}
			err = errors.Join(err, tx.PutSession(&s))
			w.want = append(w.want, s.ID)
		}
		return err
	}))
	slices.Reverse(w.want)
	c.walks = append(c.walks, w)
}

// documents makes one resource of every kind as users do, and multiplies it.
func (c *populous) documents(t *testing.T) {
	t.Helper()
	for _, k := range []struct {
		typ, create, input string
		walk               walkable
	}{
		{stage.TypeStage, "CreateStage", `{}`, walkable{operation: "ListStages", list: "stages"}},
		{stage.TypePublicKey, "ImportPublicKey", `{"publicKeyMaterial":` + text(newKeyPair(t, elliptic.P384()).pem) + `}`,
			walkable{operation: "ListPublicKeys", list: "publicKeys", python: true}},
		{stage.TypeIngestConfiguration, "CreateIngestConfiguration", `{"ingestProtocol":"RTMPS"}`,
			walkable{operation: "ListIngestConfigurations", list: "ingestConfigurations", python: true}},
		{stage.TypeEncoderConfiguration, "CreateEncoderConfiguration", `{}`,
			walkable{operation: "ListEncoderConfigurations", list: "encoderConfigurations", few: true}},
		{stage.TypeStorageConfiguration, "CreateStorageConfiguration", `{"s3":{"bucketName":"bucket"}}`,
			walkable{operation: "ListStorageConfigurations", list: "storageConfigurations", few: true}},
	} {
		if got := c.call(t, k.create, k.input); got.status != 200 {
			t.Fatalf("%s: %d %s", k.create, got.status, got.body)
		}
		k.walk.id = "arn"
		n := thousands
		if k.walk.few {
			n = 350
		}
		k.walk.want = c.multiply(t, k.typ, n)
		c.walks = append(c.walks, &k.walk)
	}
}

// multiply copies a resource until there are n, and lists them in order.
func (c *populous) multiply(t *testing.T, typ string, n int) (arns []string) {
	t.Helper()
	must(t, c.facts.Update(t.Context(), func(tx stage.Tx) error {
		docs, err := tx.Documents(stage.DocumentQuery{Type: typ, Account: account, Region: region, Limit: 10})
		if err != nil {
			return err
		}
		for _, d := range docs {
			arns = append(arns, d.ARN.String())
		}
		for d := docs[0]; len(arns) < n; {
			d.No, d.Version, d.Links, d.ARN.ID = 0, 0, nil, fmt.Sprintf("copy%08d", len(arns))
			if err := tx.PutDocument(&d); err != nil {
				return err
			}
			arns = append(arns, d.ARN.String())
		}
		return nil
	}))
	return arns
}

// TestThePaginatorsOfEverySDKWalkThousands has each SDK walk every list it has a
// paginator for: nobody may be missing and nobody may come twice.
func TestThePaginatorsOfEverySDKWalkThousands(t *testing.T) {
	t.Parallel()
	c := newPopulous(t)
	for name, open := range map[string]func(*testing.T) driver{
		"go": func(*testing.T) driver { return goSDK{} },
		"js": newJavaScript,
		"py": newBoto3,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			for _, w := range c.walks {
				if name == "py" && !w.python {
					continue
				}
				o := order{Endpoint: c.url, ID: c.id, Secret: c.secret, Region: region, Operation: w.operation, Paginate: true, PageSize: 100, Input: w.input}
				if o.Input == nil {
					o.Input = map[string]any{}
				}
				got := d.carryOut(t, o)
				if got.Error != nil {
					t.Fatalf("%s: %s", w.operation, text(got.Error))
				}
				w.judge(t, got.Pages, o.PageSize)
			}
		})
	}
	t.Run("cli", func(t *testing.T) { c.commandLine(t) })
}

// judge compares the rows of all pages with those that are there.
func (w *walkable) judge(t *testing.T, pages []map[string]any, size int) {
	t.Helper()
	var ids []string
	for i, page := range pages {
		rows, _ := page[w.list].([]any)
		if len(rows) != size && i < len(pages)-1 {
			t.Errorf("%s: page %d has %d rows, not %d", w.operation, i, len(rows), size)
		}
		for _, row := range rows {
			id, _ := row.(map[string]any)[w.id].(string)
			ids = append(ids, id)
		}
	}
	if !slices.Equal(ids, w.want) {
		t.Errorf("%s in pages of %d: got %d rows, want %d, or in another order", w.operation, size, len(ids), len(w.want))
	}
}

// commandLine walks with the AWS CLI, which turns pages by itself, stops after
// --max-items, and goes on from where it stopped.
func (c *populous) commandLine(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("aws is missing")
	}
	aws := newTool(t, c.board, "aws", "ivs-realtime", "list-ingest-configurations", "--generate-cli-skeleton")
	list := func(args ...string) (arns []string, next string) {
		out, err := aws.run(t, append([]string{"ivs-realtime", "list-ingest-configurations", "--endpoint-url", c.url, "--output", "json"}, args...)...)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var page struct {
			IngestConfigurations []struct{ ARN string }
			NextToken            string
		}
		decode(t, out, &page)
		for _, i := range page.IngestConfigurations {
			arns = append(arns, i.ARN)
		}
		return arns, page.NextToken
	}
	i := slices.IndexFunc(c.walks, func(w *walkable) bool { return w.operation == "ListIngestConfigurations" })
	want := c.walks[i].want
	all, next := list()
	equal(t, "token after everything", next, "")
	first, next := list("--max-items", "1300", "--page-size", "100")
	rest, end := list("--starting-token", next, "--page-size", "99")
	equal(t, "rows up to --max-items", len(first), 1300)
	equal(t, "token at the end", end, "")
	for name, got := range map[string][]string{"all at once": all, "in two parts": slices.Concat(first, rest)} {
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %d rows, want %d, or in another order", name, len(got), len(want))
		}
	}
	unpaged, _ := list("--no-paginate")
	equal(t, "rows of one page", len(unpaged), 50)
}
