package syncjob

import (
	"context"
	"errors"
	"time"

	"dialtone/models"
)

// judge finds out which phones came back, takes care of those that a server
// has left in the middle, and decides how the job goes on.
func (w *work) judge(ctx context.Context) (time.Duration, error) {
	j := *w.job.Load()
	if j.State == models.SyncPreparing {
		return lookEvery, nil
	}
	if err := w.Store.TurnSyncItems(ctx, &j); err != nil {
		return judgeEvery, err
	}
	if err := w.recover(ctx, &j); err != nil {
		return judgeEvery, err
	}
	counts, err := w.Store.SyncCounts(ctx, j.ID)
	if err != nil {
		return judgeEvery, err
	}
	switch {
	case j.State == models.SyncRunning && verdict(&j, counts, w.Now()):
		w.Log.InfoContext(ctx, "bulk job judged", "state", j.State, "job", j.ID, "account", j.AccountID, "reason", j.Reason,
			"returned", counts[models.ItemReturned], "missing", counts[models.ItemMissing], "unreachable", counts[models.ItemUnreachable],
			"refused", counts[models.ItemRefused], "skipped", counts[models.ItemSkipped], "pending", counts[models.ItemPending])
		return judgeEvery, w.Store.TurnSyncJob(ctx, &j, w.id, j.State == models.SyncFinished)
	case j.State != models.SyncRunning && counts[models.ItemWaiting] == 0 && w.idle() && (!j.Ended() || counts[models.ItemSending] == 0):
		return judgeEvery, w.Store.TurnSyncJob(ctx, &j, w.id, true)
	}
	return judgeEvery, nil
}

// verdict takes a running job to where its items say that it belongs; false
// when it goes on as it is.
func verdict(j *models.SyncJob, counts models.SyncCounts, now time.Time) bool {
	inCanary := j.Canary > 0 && !j.CanaryDone
	canaryEnds := inCanary && !counts.Active() && (counts.Told() >= j.Canary || counts[models.ItemPending] == 0)
	switch reason := j.TooMany(counts, canaryEnds); {
	case counts.Left() == 0:
		j.State, j.CanaryDone, j.Finished = models.SyncFinished, true, now
	case reason != "" && (canaryEnds || !inCanary):
		j.State, j.Reason = models.SyncStopped, reason
	case canaryEnds:
		j.CanaryDone = true
	default:
		return false
	}
	return true
}

// recover looks after items whose NOTIFY is on its way from nowhere: the
// server that sent it has ended, or the outcome was lost.
func (w *work) recover(ctx context.Context, j *models.SyncJob) error {
	w.forget(ctx, j)
	for after := ""; ; {
		items, err := w.Store.SyncItems(ctx, j.ID, models.ItemSending, after, batch)
		if err != nil || len(items) == 0 {
			return err
		}
		for _, item := range items {
			if after = item.DeviceID; w.flying(item.DeviceID) {
				continue
			}
			if err := w.recoverItem(ctx, j, item); err != nil {
				return err
			}
		}
	}
}

// forget gives up NOTIFYs that are on their way for longer than any can be.
func (w *work) forget(ctx context.Context, j *models.SyncJob) {
	w.mu.Lock()
	var gone []string
	for device, since := range w.flight {
		if w.Now().Sub(since) > lost {
			gone = append(gone, device)
		}
	}
	w.mu.Unlock()
	for _, device := range gone {
		w.told(ctx, j, device, models.NotifyTimeout)
		w.land(device)
	}
}

// recoverItem finds out whether a phone was reached, and tells it again when it
// was not: within the time in which a phone takes the request for a
// retransmission, or when it surely has forgotten it and has not fetched.
func (w *work) recoverItem(ctx context.Context, j *models.SyncJob, item models.SyncItem) error {
	outcome, err := w.outcome(ctx, item)
	if err != nil {
		return err
	}
	age := w.Now().Sub(item.Claimed)
	again := age > forgotten
	if !again && age < repetition && item.Replica == w.Replica {
		if again, err = w.overUDP(ctx, item.DeviceID); err != nil {
			return err
		}
	}
	switch {
	case outcome != "":
		w.told(ctx, j, item.DeviceID, outcome)
	case again && j.State == models.SyncRunning:
		return w.tellAgain(ctx, j, item)
	case age > forgotten && j.Ended():
		w.told(ctx, j, item.DeviceID, models.NotifyTimeout)
	}
	return nil
}

// outcome is what is known of a NOTIFY that was sent: its answer, or that the
// phone fetched since; "" when that is nothing.
func (w *work) outcome(ctx context.Context, item models.SyncItem) (string, error) {
	notes, err := w.Store.Notifications(ctx, item.DeviceID, batch)
	if err != nil {
		return "", err
	}
	for _, outcome := range []string{models.NotifyAccepted, models.NotifyRefused} {
		for _, n := range notes {
			if n.JobID == item.JobID && n.State == outcome {
				return outcome, nil
			}
		}
	}
	fetched, err := w.Store.FetchedSince(ctx, item.DeviceID, item.Claimed)
	if fetched {
		return models.NotifyAccepted, err
	}
	return "", err
}

// overUDP reports whether a phone is reached by datagrams alone: only there
// does it know a retransmission when it sees one.
func (w *work) overUDP(ctx context.Context, deviceID string) (bool, error) {
	bindings, err := w.Store.Bindings(ctx, deviceID)
	for _, b := range bindings {
		if b.Transport != "udp" || len(b.Path) > 0 {
			return false, err
		}
	}
	return true, err
}

func (w *work) tellAgain(ctx context.Context, j *models.SyncJob, item models.SyncItem) error {
	phone, needless, err := w.look(ctx, j, item.DeviceID)
	if err != nil {
		return err
	}
	if needless != "" {
		return w.Store.ToldSyncItem(ctx, j.ID, item.DeviceID, models.ItemUnreachable, needless)
	}
	err = w.take(ctx, item.DeviceID, func() (bool, error) {
		claimed := item.Claimed // as long as it is a retransmission
		if w.Now().Sub(claimed) > repetition {
			claimed = w.Now()
		}
		return w.Store.ReclaimSyncItem(ctx, item, claimed, w.id, w.Replica)
	})
	if errors.Is(err, errStill) {
		return nil
	}
	if err == nil {
		w.Log.InfoContext(ctx, "bulk job: phone told again", "job", j.ID, "device", item.DeviceID)
		w.tell(j, phone)
	}
	return err
}
