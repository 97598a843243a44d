package stage

import "context"

// Reset forgets everything but the server's secrets. during is run at the very
// moment when the old facts are gone and no new one is there yet; it must be
// quick. Nobody may be on the floor, and no other method may be running.
func (s *Service) Reset(ctx context.Context, during func()) error {
	return s.store.Update(ctx, func(tx Tx) error {
		during()
		return tx.Forget()
	})
}
