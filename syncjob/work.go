package syncjob

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"dialtone/models"
)

// A work is what one server does for one job. Two loops share it: one tells
// phones, the other judges how the job stands.
type work struct {
	*Runner
	ctx    context.Context // of the work, for the ends of its NOTIFYs
	cancel context.CancelFunc
	job    atomic.Pointer[models.SyncJob]
	pace   *rate.Limiter

	mu     sync.Mutex
	flight map[string]time.Time // devices whose NOTIFYs are on their way, and since when
}

func newWork(ctx context.Context, r *Runner, j *models.SyncJob) *work {
	w := &work{Runner: r, flight: map[string]time.Time{}, pace: rate.NewLimiter(0, 1)}
	w.ctx, w.cancel = context.WithCancel(ctx)
	w.update(j)
	return w
}

// update takes a job as it stands in storage now.
func (w *work) update(j *models.SyncJob) {
	w.job.Store(j)
	if limit := rate.Limit(j.Rate); w.pace.Limit() != limit {
		w.pace.SetLimit(limit)
	}
}

func (w *work) run() {
	defer w.cancel()
	var loops sync.WaitGroup
	loops.Go(func() { w.loop("telling", w.tellOn) })
	loops.Go(func() { w.loop("judging", w.judge) })
	loops.Wait()
}

// loop repeats a step until the work ends. What fails is tried again.
func (w *work) loop(what string, step func(context.Context) (time.Duration, error)) {
	for {
		rest, err := w.guarded(step)
		if err != nil && w.ctx.Err() == nil {
			w.Log.ErrorContext(w.ctx, "bulk job: step failed", "step", what, "job", w.job.Load().ID, "err", err)
			rest = judgeEvery
		}
		if !pause(w.ctx, rest) {
			return
		}
	}
}

func (w *work) guarded(step func(context.Context) (time.Duration, error)) (rest time.Duration, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return step(w.ctx)
}

// tellOn lists the job's devices, or tells the next phones, and says how long
// to rest.
func (w *work) tellOn(ctx context.Context) (time.Duration, error) {
	j := w.job.Load()
	switch j.State {
	case models.SyncPreparing:
		return w.prepare(ctx, j)
	case models.SyncRunning:
		return w.tellBatch(ctx, j)
	}
	return lookEvery, nil
}

func (w *work) prepare(ctx context.Context, j *models.SyncJob) (time.Duration, error) {
	more, err := w.Store.PrepareSyncJob(ctx, j, w.id, prepareStep)
	if more {
		return 0, err
	}
	return lookEvery, err
}

// tellBatch tells the next phones, as many as the canary has room for.
func (w *work) tellBatch(ctx context.Context, j *models.SyncJob) (time.Duration, error) {
	room, err := w.room(ctx, j)
	if err != nil || room <= 0 {
		return lookEvery, err
	}
	ids, err := w.Store.PendingSyncItems(ctx, j.ID, "", room)
	if err != nil || len(ids) == 0 {
		return lookEvery, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(hands)
	for _, id := range ids {
		group.Go(func() error { return w.consider(ctx, j, id) })
	}
	if err := group.Wait(); !errors.Is(err, errStill) {
		return 0, err
	}
	return lookEvery, nil
}

// room is how many phones may be told before anybody looks at the job again.
func (w *work) room(ctx context.Context, j *models.SyncJob) (int, error) {
	if j.Canary == 0 || j.CanaryDone {
		return batch, nil
	}
	counts, err := w.Store.SyncCounts(ctx, j.ID)
	return min(batch, j.Canary-counts.Told()), err
}

// consider tells one phone, or finds that there is nothing to tell it.
func (w *work) consider(ctx context.Context, j *models.SyncJob, deviceID string) error {
	phone, needless, err := w.look(ctx, j, deviceID)
	if err != nil {
		return err
	}
	if needless != "" {
		return w.Store.SkipSyncItem(ctx, j.ID, deviceID, needless)
	}
	if err := w.take(ctx, deviceID, func() (bool, error) {
		return w.Store.ClaimSyncItem(ctx, j.ID, deviceID, w.id, w.Replica)
	}); err != nil {
		return err
	}
	w.tell(j, phone)
	return nil
}

// look reads a phone, and says why there is nothing to tell it.
func (w *work) look(ctx context.Context, j *models.SyncJob, deviceID string) (phone *models.Phone, needless string, err error) {
	phone, err = w.Store.PhoneByID(ctx, j.AccountID, deviceID)
	switch {
	case errors.Is(err, models.ErrNotFound):
		return nil, "the device is gone", nil
	case errors.Is(err, models.ErrUnavailable), ctx.Err() != nil:
		return nil, "", err
	case err != nil:
		w.Log.ErrorContext(ctx, "bulk job: device not read", "job", j.ID, "device", deviceID, "err", err)
		return nil, "the device cannot be read", nil
	case !phone.Enabled():
		return nil, "disabled", nil
	case !j.Filter.Behind:
		return phone, "", nil
	}
	inSync, err := w.InSync(ctx, phone)
	if inSync {
		return nil, "in sync", err
	}
	return phone, "", err
}

// take waits for the phone's turn and makes it this server's to tell.
func (w *work) take(ctx context.Context, deviceID string, claim func() (bool, error)) error {
	if err := w.pace.Wait(ctx); err != nil {
		return err
	}
	w.AwaitRoom(ctx)
	if w.job.Load().State != models.SyncRunning {
		return errStill
	}
	w.depart(deviceID)
	claimed, err := claim()
	if err != nil || !claimed {
		w.land(deviceID)
	}
	if err == nil && !claimed {
		return errStill
	}
	return err
}

// tell sends the NOTIFY of a phone that was taken.
func (w *work) tell(j *models.SyncJob, phone *models.Phone) {
	device := phone.Device.ID
	w.Tell(Order{
		Job: j, Phone: phone, ID: orderID(j.ID, device), Watch: max(Watch, j.Patience),
		Done: func(state string) {
			ctx, cancel := writing(w.ctx)
			defer cancel()
			w.told(ctx, j, device, state)
			w.land(device)
		},
	})
}

// itemStates are what the outcome of a phone's notifications means.
var itemStates = map[string]struct{ state, reason string }{
	models.NotifyAccepted:    {models.ItemWaiting, ""},
	models.NotifyRefused:     {models.ItemRefused, "it refused the NOTIFY"},
	models.NotifyTimeout:     {models.ItemUnreachable, "no answer"},
	models.NotifyUnreachable: {models.ItemUnreachable, "not registered, or its connection is gone"},
}

func (w *work) told(ctx context.Context, j *models.SyncJob, deviceID, outcome string) {
	item := itemStates[outcome]
	if err := w.Store.ToldSyncItem(ctx, j.ID, deviceID, item.state, item.reason); err != nil {
		w.Log.ErrorContext(ctx, "bulk job: outcome not recorded", "job", j.ID, "device", deviceID, "state", item.state, "err", err)
	}
}

// depart notes that a device's NOTIFY is on its way from here.
func (w *work) depart(deviceID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flight[deviceID] = w.Now()
}

func (w *work) land(deviceID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.flight, deviceID)
}

// flying reports whether a device's NOTIFY is on its way from here.
func (w *work) flying(deviceID string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, flies := w.flight[deviceID]
	return flies
}

// idle reports whether no NOTIFY of the job is on its way from here.
func (w *work) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.flight) == 0
}
