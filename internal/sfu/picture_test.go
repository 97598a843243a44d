package sfu

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/pion/webrtc/v4"
)

// What x264 writes for pictures of these sizes.
var parameterSets = []struct {
	name, hex     string
	width, height int
	reorders      bool
}{
	{"baseline, cropped by nothing", "6742c01fda014016ec0440000003004000000f23c60ca8", 1280, 720, false},
	{"high with B frames, cropped", "67640028acd940780227e5c044000003000400000300f03c60c658", 1920, 1080, true},
	{"portrait", "674d401fd900b40a1b0110000003001000000303c0f1832480", 720, 1280, false},
	{"4:4:4, width cropped", "67f4001f919640360f78bf0110000003001000000303c0f1832480", 854, 480, false},
	{"with buffering and matrices", "6764000dacb202833f3e022000000300200000078c04003d08000f427261803c50a920", 320, 180, false},
	{"interlaced", "674d401ef20140c7a9f0110000030001000003003c1f142a48", 638, 360, false},
}

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	must(t, err)
	return b
}

func TestParameterSetsTellTheSizeAndWhetherFramesAreReordered(t *testing.T) {
	t.Parallel()
	for _, c := range parameterSets {
		sps := unhex(t, c.hex)
		long := append(binary.BigEndian.AppendUint16([]byte{nalSTAPA}, uint16(len(sps))), sps...)
		long = append(long, 0, 2, 0x68, 0xce)
		for how, payload := range map[string][]byte{
			"alone": sps, "among others": long, "in parts": append([]byte{0x60 | nalFUA, 0x80 | nalSPS}, sps[1:]...),
		} {
			var v picture
			v.read(mimeH264, payload)
			if v != (picture{c.width, c.height, c.reorders}) {
				t.Errorf("%s, %s: %+v", c.name, how, v)
			}
		}
	}
}

func TestAParameterSetThatIsCutOffChangesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range parameterSets {
		sps := unhex(t, c.hex)
		for n := range 8 {
			v := picture{width: 7, height: 9}
			v.read(mimeH264, sps[:n])
			if v != (picture{width: 7, height: 9}) {
				t.Errorf("%s, %d bytes: %+v", c.name, n, v)
			}
		}
	}
}

func TestBSlicesAreSeen(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"419a2318857f": false, // P
		"419e414213ff": true,  // B that others refer to
		"019e624427ff": true,  // B
		"65888400":     false, // I of a key frame
		"4100":         false, // nothing to read
		"1c419a231885": false, // a middle part
		"7c819e414213": true,  // the first part of a B
	} {
		var v picture
		if v.read(mimeH264, unhex(t, text)); v.reorders != want {
			t.Errorf("%s: %v", text, v.reorders)
		}
	}
}

func TestVP8KeyFramesTellTheSize(t *testing.T) {
	t.Parallel()
	frame := []byte{0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x41} // 640 x 360, the latter scaled
	var v picture
	v.read(mimeVP8, append([]byte{0x90, 0x80, 0x81, 0x23}, frame...))
	if v != (picture{width: 640, height: 360}) {
		t.Errorf("%+v", v)
	}
	for _, p := range [][]byte{{0x10, 0x01, 0, 0x9d, 1, 0x2a, 0, 1, 0, 1, 0}, {0x00, 0x00, 0, 0x9d, 1, 0x2a, 0, 1, 0, 1, 0}, {0x10, 0}, {0x90, 0x80, 0x81}} {
		if v.read(mimeVP8, p); v != (picture{width: 640, height: 360}) {
			t.Errorf("%x: %+v", p, v)
		}
	}
}

// Whatever a stranger sends is read without a fault, within its bounds, and without a change of it.
func FuzzPicture(f *testing.F) {
	for _, c := range parameterSets {
		f.Add(unhex(f, c.hex))
	}
	f.Add([]byte{nalSTAPA, 0xff, 0xff, nalSPS})
	f.Add([]byte{0x90, 0xf0, 0x81, 0x23, 1, 2, 0, 0, 0, 0x9d, 1, 0x2a, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		was := bytes.Clone(b)
		for _, mime := range []string{webrtc.MimeTypeH264, webrtc.MimeTypeVP8} {
			var v picture
			v.read(mime, b)
			if !bytes.Equal(b, was) || v.width < 0 || v.height < 0 || v.width > 1<<16 || v.height > 1<<17 {
				t.Fatalf("%+v of %x", v, b)
			}
		}
	})
}
