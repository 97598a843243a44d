package main

import (
	"net/url"
	"strings"
	"testing"

	"callboard/internal/server/servertest"
)

func TestCommandsAskCallboardsOwnAPIWithTheCredentialsOfTheEnvironment(t *testing.T) {
	s := servertest.Start(t, nil)
	c := s.Credentials()
	t.Setenv("AWS_ACCESS_KEY_ID", c.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", c.SecretAccessKey)
	t.Setenv("AWS_REGION", s.Config.Region)
	t.Setenv("AWS_ENDPOINT_URL_IVS_REALTIME", s.URL()+"/")
	call(t.Context(), t, s, "CreateStage", map[string]any{"name": "rehearsal"}, nil)
	client, err := awsFlags{}.desk(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out struct{ OpenAPI string }
	if err := client.call(t.Context(), "GET", "/openapi.json", nil, nil, &out); err != nil || out.OpenAPI != "3.1.0" {
		t.Errorf("the description says %+v, %v", out, err)
	}
	path, err := client.stagePath(t.Context(), "rehearsal")
	if err != nil {
		t.Fatal(err)
	}
	err = client.call(t.Context(), "GET", path+"/sessions/live", nil, nil, nil)
	if err == nil || !strings.Contains(sentence(err), "has had no session (ResourceNotFoundException)") {
		t.Errorf("the stage that nobody has been on answers %v", err)
	}
	err = client.call(t.Context(), "GET", path+"/sessions/live", url.Values{"a b": {"c+d"}}, nil, nil)
	if err == nil || !strings.Contains(sentence(err), `"a b"`) {
		t.Errorf("a strange parameter is answered %v", err)
	}
}
