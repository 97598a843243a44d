package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"
)

// maxAnswer bounds what is read of an answer that is no stream.
const maxAnswer = 64 << 20

// deskClient speaks Callboard's own API, to the same server and with the same
// credentials as an AWS client.
type deskClient struct {
	aws  *ivsrealtime.Client // for what the service's own API answers
	base string              // URL of the server
}

// desk reads the environment and the profiles as every AWS tool does.
func (f awsFlags) desk(ctx context.Context) (*deskClient, error) {
	client, err := f.client(ctx)
	if err != nil {
		return nil, err
	}
	base := aws.ToString(client.Options().BaseEndpoint)
	if base == "" {
		return nil, errors.New(`AWS has no such API, only Callboard: say where it is with --endpoint-url, AWS_ENDPOINT_URL_IVS_REALTIME, or eval "$(callboard env)"`)
	}
	return &deskClient{client, strings.TrimSuffix(base, "/") + "/callboard/v1"}, nil
}

// add puts the flags that say which server it is on a command.
func (f *awsFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false // a command's own come first
	flags.StringVar(&f.profile, "profile", "", "profile of the AWS configuration files")
	flags.StringVar(&f.region, "region", "", "region (default: as the AWS configuration says)")
	flags.StringVar(&f.endpoint, "endpoint-url", "", "URL of the API (default: as the AWS configuration says)")
}

// stagePath is the path of a stage named by ARN or by name.
func (c *deskClient) stagePath(ctx context.Context, name string) (string, error) {
	arn, err := findStage(ctx, c.aws, name)
	if err != nil {
		return "", err
	}
	_, id, ok := strings.Cut(arn, "/")
	if !ok {
		return "", errors.New(printable(arn) + " is not the ARN of a stage")
	}
	return "/stages/" + url.PathEscape(id), nil
}

// call asks and reads the JSON answer into out, which may be nil; so may in.
func (c *deskClient) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	resp, err := c.send(ctx, method, path, query, body, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out)
}

// send signs a request and sends it; the answer, whose status is good, is for the
// caller to read and to close. A refusal is a [smithy.APIError].
func (c *deskClient) send(ctx context.Context, method, path string, query url.Values, body []byte, header http.Header) (*http.Response, error) {
	address := c.base + path
	if len(query) > 0 {
		address += "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	o := c.aws.Options()
	credentials, err := o.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), "ivs", o.Region, time.Now()); err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil || resp.StatusCode < 300 {
		return resp, err
	}
	defer resp.Body.Close()
	return nil, refusalOf(resp)
}

// refusalOf reads what the server said when it did not do what it was asked.
func refusalOf(resp *http.Response) error {
	var said struct{ Message string }
	json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&said)
	code, _, _ := strings.Cut(resp.Header.Get("X-Amzn-ErrorType"), ":")
	if code == "" {
		code = resp.Status
	}
	return &smithy.GenericAPIError{Code: code, Message: said.Message}
}
