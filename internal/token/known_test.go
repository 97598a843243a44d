package token

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestATokenThatIsKnownHoldsForItsKeyAlone(t *testing.T) {
	key, other := newKey(t), newKey(t)
	text, err := Mint(key, keyID, someClaims())
	if err != nil {
		t.Fatal(err)
	}
	for _, learnt := range []bool{false, true} {
		t.Run(fmt.Sprintf("learnt %v", learnt), func(t *testing.T) {
			var k Known
			if learnt {
				k.Learn(text, &key.PublicKey)
			}
			parsed, err := Parse(text, issued)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := k.Verify(parsed, &key.PublicKey); err != nil {
					t.Error(err)
				}
				if err := k.Verify(parsed, &other.PublicKey); !errors.Is(err, ErrSignature) {
					t.Errorf("with another key: %v", err)
				}
				if err := k.Verify(parsed, nil); !errors.Is(err, ErrSignature) {
					t.Errorf("with no key: %v", err)
				}
			}
		})
	}
}

func TestASignatureThatDoesNotHoldIsNotLearnt(t *testing.T) {
	key := newKey(t)
	text, err := Mint(key, keyID, someClaims())
	if err != nil {
		t.Fatal(err)
	}
	var k Known
	k.Learn(text, &key.PublicKey)
	other := someClaims()
	other.Publish = false
	elsewhere, err := Mint(newKey(t), keyID, other)
	if err != nil {
		t.Fatal(err)
	}
	forged := elsewhere[:strings.LastIndexByte(elsewhere, '.')] + text[strings.LastIndexByte(text, '.'):]
	parsed, err := Parse(forged, issued)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := k.Verify(parsed, &key.PublicKey); !errors.Is(err, ErrSignature) {
			t.Errorf("other claims under a known signature: %v", err)
		}
	}
}

func TestWhatIsKnownIsBounded(t *testing.T) {
	var k Known
	often := digest{1}
	for i := range 5 * maxKnown {
		k.learn(digest{2, byte(i), byte(i >> 8), byte(i >> 16)})
		if i == 0 {
			k.learn(often)
		}
		if !k.knows(often) {
			t.Fatalf("what is asked for all the time is forgotten after %d", i)
		}
		if n := len(k.young) + len(k.old); n > 2*maxKnown {
			t.Fatalf("%d are remembered", n)
		}
	}
	if k.knows(digest{2}) {
		t.Error("the first is still remembered")
	}
}
