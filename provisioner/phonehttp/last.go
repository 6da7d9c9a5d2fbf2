package phonehttp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dialtone/models"
	"dialtone/provisioner"
)

// errSlow ends a rendering that waits for the database longer than a phone
// should that could have the last good file.
var errSlow = fmt.Errorf("no file in time: %w", context.DeadlineExceeded)

// rendered is what render makes. Where it fails, by the database or by a
// template, that is the last good file, unless it is too old.
func (v *visit) rendered(render func(context.Context) (provisioner.File, error), last func() (provisioner.Kept, bool)) (provisioner.File, error) {
	err := v.Store.failed
	if err == nil {
		ctx, cancel := context.WithCancelCause(v.r.Context())
		defer cancel(nil)
		defer time.AfterFunc(v.patience, func() {
			if v.isGood(last()) {
				cancel(errSlow)
			}
		}).Stop()
		var file provisioner.File
		if file, err = render(ctx); errors.Is(context.Cause(ctx), errSlow) && err != nil {
			err = errSlow
		}
		if err == nil || errors.Is(err, models.ErrNotFound) || errors.Is(err, context.Canceled) {
			return file, err
		}
	}
	kept, ok := last()
	if !v.isGood(kept, ok) {
		return provisioner.File{}, err
	}
	v.lastGood = true
	v.Log.WarnContext(v.r.Context(), "last good file served", "file", v.want.Name, "account", v.account.ID, "remote", v.peer.source,
		"age", v.Now().Sub(kept.At).Round(time.Second).String(), "err", err)
	if v.Store.failed != nil {
		v.w.Header().Set("Connection", "close") // a balancer may know a server that has its database
	}
	return kept.File, nil
}

// isGood reports whether a file that was rendered before may still be served.
func (v *visit) isGood(kept provisioner.Kept, ok bool) bool {
	return ok && v.Now().Sub(kept.At) < v.StaleFor
}
