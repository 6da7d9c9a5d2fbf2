package api

import (
	"context"
	"errors"
	"time"

	"github.com/sethvargo/go-retry"

	"dialtone/models"
)

// A change is computed anew while other writers are faster. The pauses between
// attempts double up to the longest and are drawn at random below that, so that
// writers who collided come back one by one.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = 500 * time.Millisecond
	savePatience = 45 * time.Second // the client is then told of the conflict
)

// untilWritten repeats a read-compute-write until no other writer comes first.
func (s *server) untilWritten(ctx context.Context, attempt func(context.Context) error) error {
	pauses := retry.WithFullJitter(retry.WithCappedDuration(longestPause, retry.NewExponential(firstPause)))
	return retry.Do(ctx, retry.WithMaxDuration(s.patience, pauses), func(ctx context.Context) error {
		err := attempt(ctx)
		if errors.Is(err, models.ErrConflict) {
			return retry.RetryableError(err)
		}
		return err
	})
}
