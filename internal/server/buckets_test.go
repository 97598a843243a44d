package server_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callboard/internal/server"
	"callboard/internal/server/servertest"
)

// createStorage asks for a storage configuration and gives status and code of
// the refusal, "" if there was none.
func createStorage(t *testing.T, s *servertest.Server, bucket string) (int, string) {
	t.Helper()
	in := map[string]any{"s3": map[string]string{"bucketName": bucket}}
	err := s.Call(t.Context(), "CreateStorageConfiguration", in, nil)
	if f, ok := errors.AsType[*servertest.Failure](err); ok {
		return f.Status, f.Code
	}
	if err != nil {
		t.Fatal(err)
	}
	return 200, ""
}

func TestBucketsAreLookedForInTheDirectoryTheyAreSaidToBeIn(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	if err := os.Mkdir(filepath.Join(place, "recordings"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := servertest.Start(t, func(c *server.Config) { c.Buckets = place })
	if status, code := createStorage(t, s, "recordings"); status != 200 {
		t.Errorf("a bucket that is there: %d %s", status, code)
	}
	if status, code := createStorage(t, s, "elsewhere"); status != 404 || code != "ResourceNotFoundException" {
		t.Errorf("a bucket that is not there: %d %s", status, code)
	}
}

func TestAnyBucketIsBelievedInWithoutAPlaceToLook(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, nil)
	if status, code := createStorage(t, s, "anything"); status != 200 {
		t.Errorf("got %d %s", status, code)
	}
}

func TestAnObjectStoreThatCannotBeReachedIsTheServersTrouble(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, func(c *server.Config) {
		c.Buckets = "http://127.0.0.1:" + freePort(t)
		c.BucketsAccessKeyID, c.BucketsSecretAccessKey = "AKIASHOP", "secret-of-the-shop"
	})
	if status, code := createStorage(t, s, "anything"); status != 500 || code != "InternalServerException" {
		t.Errorf("got %d %s", status, code)
	}
}

func TestABucketDirectoryThatIsNotThereStopsTheStart(t *testing.T) {
	t.Parallel()
	c := server.Default()
	c.Listen, c.Media, c.Data = "127.0.0.1:0", "127.0.0.1:0", server.Memory
	c.Buckets = filepath.Join(t.TempDir(), "not-there")
	_, err := server.New(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "buckets") || !strings.Contains(err.Error(), "not-there") {
		t.Errorf("got %v", err)
	}
}
