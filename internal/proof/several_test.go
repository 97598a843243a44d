package proof

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestSeveralServersOnOneDatabaseAreOne has three servers, processes each, on one
// database. People come to all of them, or to two, and the third hears of it
// only by what the others say.
func TestSeveralServersOnOneDatabaseAreOne(t *testing.T) {
	t.Parallel()
	seed := seed(t)
	rng := rand.New(rand.NewPCG(seed, 4))
	ends := []string{"", "fall", "fall", "kill"}
	acts, walks, rounds, kills := int64(0), 0, 0, 0
	for until, homes := time.Now().Add(duration(t, 3*time.Second)), 2; time.Now().Before(until) || rounds < 2; homes = 5 - homes {
		e := &estate{premises: premises{
			Data: aPostgres(t), RollBytes: rollBytes[rng.IntN(len(rollBytes))], Linger: time.Duration(rng.IntN(2)) * time.Hour, Among: true,
		}, apart: true, number: 3, homes: homes}
		x := newTrial(t, e, seed+uint64(rounds))
		for n := range 10 {
			x.round(rounds, 60+rng.IntN(200), ends[(n+rng.IntN(2))%len(ends)])
			if rounds++; time.Now().After(until) && rounds > 1 {
				break
			}
		}
		acts, walks, kills = acts+x.acts.Load(), walks+x.walks, kills+x.kills
	}
	t.Logf("seed %d: %d acts and %d walks in %d rounds, %d servers killed", seed, acts, walks, rounds, kills)
}
