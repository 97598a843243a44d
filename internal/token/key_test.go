package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func publicPEM(t testing.TB, pub any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestAnImportedPublicKeyVerifiesTokensOfItsPair(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	text := publicPEM(t, &key.PublicKey)
	forms := map[string]string{
		"as openssl writes it":     text,
		"without the last newline": strings.TrimSpace(text),
		"with DOS line ends":       strings.ReplaceAll(text, "\n", "\r\n"),
		"with blank lines around":  "\n\n" + text + "\n \n",
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pub, fingerprint, err := ParsePublicKey(form)
			if err != nil {
				t.Fatal(err)
			}
			if !pub.Equal(&key.PublicKey) {
				t.Error("another key")
			}
			block, _ := pem.Decode([]byte(text))
			want := strings.ReplaceAll(fmt.Sprintf("% x", md5.Sum(block.Bytes)), " ", ":")
			if fingerprint != want {
				t.Errorf("fingerprint %s, want %s", fingerprint, want)
			}
		})
	}
}

// The key was made with openssl ecparam -name secp384r1 -genkey, the
// fingerprint with openssl pkey -pubin -outform der | openssl md5 -c.
func TestTheFingerprintIsTheOneOpenSSLPrints(t *testing.T) {
	t.Parallel()
	const text = `-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE38G6NPs3QHdcoItlRZ5icM7DinVMFjHw
oNoxn/S//aozP3QLOukgmDueNu3JCfuDnAr48B33hBr6ZPXkM7w7eykOqZ02YILr
kkTRCbE2i4zy7nHU9NKOiv/0x0uGExbC
-----END PUBLIC KEY-----
`
	const want = "02:c1:b5:71:6a:03:a7:6e:a5:13:28:5b:f8:66:f9:81"
	_, got, err := ParsePublicKey(text)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOtherKeyMaterialIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	good := publicPEM(t, &key.PublicKey)
	small, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	edKey, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, data []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
	}
	der, _ := pem.Decode([]byte(good))
	cases := map[string]struct{ text, want string }{
		"nothing":               {"", "PEM"},
		"words":                 {"hello", "PEM"},
		"P-256":                 {publicPEM(t, &small.PublicKey), "P-256"},
		"RSA":                   {publicPEM(t, &rsaKey.PublicKey), "P-384"},
		"Ed25519":               {publicPEM(t, edKey), "P-384"},
		"a private key":         {block("EC PRIVATE KEY", private), "keep it secret"},
		"a certificate":         {block("CERTIFICATE", private), "PUBLIC KEY"},
		"private in disguise":   {block("PUBLIC KEY", private), "can be read"},
		"trailing DER":          {block("PUBLIC KEY", append(der.Bytes, 0)), "can be read"},
		"two keys":              {good + good, "one PEM block"},
		"text before":           {"my key:\n" + good, "PEM"},
		"text after":            {good + "that was my key", "one PEM block"},
		"headers":               {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Headers: map[string]string{"a": "b"}, Bytes: der.Bytes})), "one PEM block"},
		"a point off the curve": {block("PUBLIC KEY", flipLast(der.Bytes)), "can be read"},
		"too much":              {strings.Repeat("A", 5000), "longer"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := ParsePublicKey(c.text)
			if err == nil {
				t.Fatal("accepted")
			}
			if !regexp.MustCompile(c.want).MatchString(err.Error()) {
				t.Errorf("got %q, want %q in it", err, c.want)
			}
		})
	}
}

func flipLast(data []byte) []byte {
	changed := append([]byte(nil), data...)
	changed[len(changed)-1] ^= 1
	return changed
}

func TestTheServersOwnKeySurvivesStorage(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	der, err := MarshalKey(key)
	if err != nil {
		t.Fatal(err)
	}
	again, err := UnmarshalKey(der)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Equal(key) {
		t.Error("another key came back")
	}
}

func TestAStoredKeyOnAnotherCurveIsRefused(t *testing.T) {
	t.Parallel()
	small, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := MarshalKey(small); err == nil {
		t.Error("marshalled")
	}
	der, err := x509.MarshalPKCS8PrivateKey(small)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := UnmarshalKey(der); err == nil {
		t.Error("unmarshalled")
	}
	if _, err := UnmarshalKey([]byte("junk")); err == nil {
		t.Error("unmarshalled junk")
	}
}

func FuzzParsePublicKey(f *testing.F) {
	key := newKey(f)
	f.Add(publicPEM(f, &key.PublicKey))
	f.Add("")
	f.Add("-----BEGIN PUBLIC KEY-----\nMHYw\n-----END PUBLIC KEY-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		pub, fingerprint, err := ParsePublicKey(text)
		if err != nil {
			return
		}
		again, second, err := ParsePublicKey(publicPEM(t, pub))
		if err != nil || second != fingerprint || !again.Equal(pub) {
			t.Fatalf("not the same key when written anew: %v", err)
		}
	})
}
