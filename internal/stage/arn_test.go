package stage

import "testing"

func TestARNIsReadAndWrittenBack(t *testing.T) {
	for text, want := range map[string]ARN{
		"arn:aws:ivs:us-east-1:123456789012:stage/aB-9":      {"us-east-1", "123456789012", TypeStage, "aB-9"},
		"arn:aws:ivs:x:0:public-key/f99cde61-c2b0":           {"x", "0", TypePublicKey, "f99cde61-c2b0"},
		"arn:aws:ivs:eu-west-1:1:encoder-configuration/abcd": {"eu-west-1", "1", TypeEncoderConfiguration, "abcd"},
	} {
		got, err := ParseARN(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s is read as %+v (%v) and written as %s", text, got, err, got)
		}
	}
}

func TestWhatIsNoARNIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "arn:aws:ivs:::/", "arn:aws:s3:r:1:stage/a", "arn:aws:ivs:r:1:stage", "arn:aws:ivs:r:1:stage/",
		"arn:aws:ivs:R:1:stage/a", "arn:aws:ivs:r:x:stage/a", "arn:aws:ivs:r:1:Stage/a", "arn:aws:ivs:r:1:stage/a_b",
		"arn:aws:ivs:r:1:stage/a/b", "arn:aws:ivs:r:1:stage/a\n", "arn:aws:ivs:r:1:s:t/a", "arn:aws:ivs:r:1:stage/" + string(make([]byte, 128)),
	} {
		if got, err := ParseARN(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func FuzzParseARN(f *testing.F) {
	f.Add("arn:aws:ivs:us-east-1:123456789012:stage/aB-9")
	f.Add("arn:aws:ivs:::/")
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := ParseARN(text); err == nil && a.String() != text {
			t.Errorf("%q came back as %q", text, a)
		}
	})
}
