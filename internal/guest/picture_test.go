package guest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheDrawnH264IsDecodedWithoutAnError(t *testing.T) {
	t.Parallel()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is not here to decode it")
	}
	for rank := range 3 {
		_, _, frame, err := H264.picture(rank)
		if err != nil {
			t.Fatal(err)
		}
		var stream bytes.Buffer
		for n := range 2*framesPerKey + 1 {
			stream.Write(frame(n, n%framesPerKey == 0 || n == 7))
		}
		path := filepath.Join(t.TempDir(), "picture.h264")
		if err := os.WriteFile(path, stream.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), ffmpeg, "-v", "warning", "-xerror", "-i", path, "-f", "framecrc", "-").CombinedOutput()
		if err != nil {
			t.Fatalf("ffmpeg: %v\n%s", err, out)
		}
		if n := strings.Count(string(out), "\n0, "); n != 2*framesPerKey+1 {
			t.Errorf("%d pictures were decoded, want %d:\n%s", n, 2*framesPerKey+1, out)
		}
	}
}

func TestAKeyFrameComesWhenItIsAskedFor(t *testing.T) {
	t.Parallel()
	isKey := map[Video]func([]byte) bool{
		H264: func(frame []byte) bool { return bytes.HasPrefix(frame, []byte{0, 0, 0, 1, 0x67}) },
		VP8:  func(frame []byte) bool { return frame[0]&1 == 0 },
	}
	for video, isKey := range isKey {
		_, _, frame, err := video.picture(0)
		if err != nil {
			t.Fatal(err)
		}
		for n, want := range []bool{true, false, false, true, false} {
			if got := isKey(frame(n, want)); got != want {
				t.Errorf("%s frame %d: key frame is %v, want %v", video, n, got, want)
			}
		}
	}
}

func TestNothingInAPictureLooksLikeAStartCode(t *testing.T) {
	t.Parallel()
	got := annexB(0x65, []byte{0, 0, 0, 0, 1, 9, 0, 0, 3})
	want := []byte{0, 0, 0, 1, 0x65, 0, 0, 3, 0, 0, 3, 1, 9, 0, 0, 3, 3}
	if !bytes.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestATokenThatIsNoTokenMakesNoGuest(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"", "a.b", "a.b.c", "a.!.c", "a.e30.c"} {
		if g, err := New(token); err == nil {
			g.Close(t.Context())
			t.Errorf("%q made a guest", token)
		}
	}
}
