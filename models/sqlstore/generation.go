package sqlstore

import (
	"context"
	"slices"
	"sync/atomic"
)

// A generation counts the changes of accounts, users and devices. SQLite counts
// them itself, by triggers: what another program writes counts as well. What was
// right at a generation is right while that lasts. Other databases have none: it
// would be a row that all writers wait for.
type generation int64

// uncounted is the generation where nobody counts.
const uncounted generation = 0

// generation is the one now, or of the moment that ctx is of.
func (s *Store) generation(ctx context.Context) (generation, error) {
	if s.dialect != dialectSQLite {
		return uncounted, nil
	}
	m := momentOf(ctx)
	if now := generation(m.at.Load()); now != uncounted {
		return now, nil
	}
	now, err := s.generations.ask(ctx, struct{}{})
	m.at.Store(int64(now))
	return now, err
}

// readGenerations reads the generation, once for all who ask.
func (s *Store) readGenerations(ctx context.Context, asked []struct{}) ([]generation, error) {
	var now generation
	err := s.eachRow(ctx, func(scan func(...any) error) error { return scan(&now) }, "SELECT number FROM generation")
	return slices.Repeat([]generation{now}, len(asked)), err
}

// A confirmation is the generation at which something kept was right last.
type confirmation struct{ at atomic.Int64 }

func confirmedAt(now generation) *confirmation {
	var c confirmation
	c.at.Store(int64(now))
	return &c
}

// isRight reports whether what is kept is right now: at once when nothing has
// changed since it was, or else when same says so.
func (s *Store) isRight(ctx context.Context, kept *confirmation, same func(context.Context) (bool, error)) (bool, error) {
	now, err := s.generation(ctx)
	if err != nil {
		return false, err
	}
	if now != uncounted && generation(kept.at.Load()) == now {
		return true, nil
	}
	right, err := same(ctx)
	if right {
		kept.at.Store(int64(now)) // which was read before
	}
	return right, err
}

// A moment remembers the generation for one request, so that it asks once.
type moment struct{ at atomic.Int64 }

type momentKey struct{}

// Once gives a context for one request: whether anything has changed is asked
// once under it, by the first question.
func (*Store) Once(ctx context.Context) context.Context {
	return context.WithValue(ctx, momentKey{}, &moment{})
}

// momentOf is the moment that ctx is of, or one of its own.
func momentOf(ctx context.Context) *moment {
	if m, ok := ctx.Value(momentKey{}).(*moment); ok {
		return m
	}
	return &moment{}
}
