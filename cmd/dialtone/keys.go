package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"dialtone/models"
	"dialtone/models/keyset"
	"dialtone/models/sqlstore"
)

const (
	keysLook   = 2 * time.Second // how often the keyset's file is read
	keysReport = 10 * time.Second
)

// A keyFollower has a server's keyset follow its file, and tells the database
// which keys the server has: keys are changed only when all servers can.
type keyFollower struct {
	id, name string
	store    *sqlstore.Store
	keys     *keyset.Keyset
	log      *slog.Logger

	reported time.Time
	trouble  string // what was logged last
}

// followKeys reports a server that starts. One that lacks the key which seals by
// now is refused; a database that takes no writes is none of its business.
func followKeys(ctx context.Context, store *sqlstore.Store, keys *keyset.Keyset, name string, log *slog.Logger) (*keyFollower, error) {
	f := &keyFollower{id: models.NewID(), name: name, store: store, keys: keys, log: log}
	err := f.report(ctx)
	if errors.Is(err, keyset.ErrNoKey) {
		return nil, err
	}
	f.tell(ctx, err)
	return f, nil
}

// run follows the file until ctx ends; then the server is forgotten.
func (f *keyFollower) run(ctx context.Context) {
	ticker := time.NewTicker(keysLook)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			f.tell(ctx, f.once(ctx))
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = f.store.ForgetServer(last, f.id) // it is forgotten anyway, a minute later
			return
		}
	}
}

func (f *keyFollower) once(ctx context.Context) error {
	changed, err := f.keys.Reload()
	if changed {
		f.log.InfoContext(ctx, "keyset read again", "path", f.keys.Path(), "keys", len(f.keys.Keys()))
	}
	if !changed && time.Since(f.reported) < keysReport {
		return err
	}
	return errors.Join(err, f.report(ctx))
}

func (f *keyFollower) report(ctx context.Context) error {
	if err := f.store.ReportServer(ctx, f.id, f.name); err != nil {
		return err
	}
	f.reported = time.Now()
	return nil
}

// tell logs what is wrong, once.
func (f *keyFollower) tell(ctx context.Context, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != f.trouble && ctx.Err() == nil {
		f.log.WarnContext(ctx, "keyset not followed", "err", err)
	}
	f.trouble = text
}
