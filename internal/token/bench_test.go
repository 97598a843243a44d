package token

import "testing"

func BenchmarkMint(b *testing.B) {
	key, c := newKey(b), someClaims()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Mint(key, keyID, c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	text, err := Mint(newKey(b), keyID, someClaims())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text, issued); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	key := newKey(b)
	text, err := Mint(key, keyID, someClaims())
	if err != nil {
		b.Fatal(err)
	}
	parsed, err := Parse(text, issued)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := parsed.Verify(&key.PublicKey); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyKnown(b *testing.B) {
	key := newKey(b)
	text, err := Mint(key, keyID, someClaims())
	if err != nil {
		b.Fatal(err)
	}
	parsed, err := Parse(text, issued)
	if err != nil {
		b.Fatal(err)
	}
	var k Known
	b.ReportAllocs()
	for b.Loop() {
		if err := k.Verify(parsed, &key.PublicKey); err != nil {
			b.Fatal(err)
		}
	}
}
