package sigv4

import (
	"strings"
	"sync"
)

// maxKeys bounds the cache: enough for some hundred callers on two days.
const maxKeys = 512

// keyCache remembers derived keys that have verified a request. A stranger
// who merely knows a key id cannot fill it.
type keyCache struct {
	mu   sync.RWMutex
	keys map[keyScope]*signingKey
}

type keyScope struct{ accessKeyID, day, region string }

// find gives the key, unless the secret has been replaced since.
func (c *keyCache) find(a *authorization, secret string) (*signingKey, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	k := c.keys[keyScope{a.accessKeyID, a.day, a.region}]
	return k, k != nil && k.secret == secret
}

func (c *keyCache) keep(a *authorization, k *signingKey) {
	// Copies, because these strings are parts of a whole request header.
	scope := keyScope{strings.Clone(a.accessKeyID), strings.Clone(a.day), strings.Clone(a.region)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = make(map[keyScope]*signingKey)
	}
	if len(c.keys) >= maxKeys {
		for old := range c.keys {
			delete(c.keys, old)
			break
		}
	}
	c.keys[scope] = k
}
