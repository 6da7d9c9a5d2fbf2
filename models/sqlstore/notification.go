package sqlstore

import (
	"cmp"
	"context"
	"time"

	"gorm.io/gorm"

	"dialtone/models"
)

// A syncItemRow is one NOTIFY to one contact. JobID stays NULL for those that
// were asked for singly.
type syncItemRow struct {
	ID          string `gorm:"primaryKey"`
	JobID       *string
	AccountID   string
	DeviceID    string
	AOR         string `gorm:"column:aor"`
	Contact     string
	Event       string
	Replica     string
	State       string
	Code        int
	Reason      string
	Attempts    int
	Created     int64
	NextAttempt *int64
	Finished    *int64
	WatchUntil  *int64
	Fetched     *int64
	Registered  *int64
}

func (syncItemRow) TableName() string { return "sync_items" }

// SaveNotification stores a notification, or its new state when its ID is
// known already; when it was created and what the phone did since stay then. It
// fills the ID when empty.
func (s *Store) SaveNotification(ctx context.Context, n *models.Notification) error {
	n.ID = cmp.Or(n.ID, models.NewID())
	failed, err := s.notifications.ask(ctx, newSyncItemRow(n))
	return storeErr("save notification", cmp.Or(err, failed))
}

// BeginNotification is SaveNotification of one with an ID that is saved again
// soon. It does not wait: what is stored in the end is what is saved last, and
// whether storage fails is told then.
func (s *Store) BeginNotification(ctx context.Context, n *models.Notification) {
	s.notifications.put(ctx, newSyncItemRow(n))
}

func newSyncItemRow(n *models.Notification) syncItemRow {
	return syncItemRow{
		ID:          n.ID,
		JobID:       optional(n.JobID),
		AccountID:   n.AccountID,
		DeviceID:    n.DeviceID,
		AOR:         clip(n.AOR, 320),
		Contact:     clip(n.Contact, 1024),
		Event:       clip(n.Event, 255),
		Replica:     clip(n.Replica, 64),
		State:       n.State,
		Code:        n.Code,
		Reason:      clip(n.Reason, 255),
		Attempts:    n.Attempts,
		Created:     millis(n.Created),
		NextAttempt: optionalMillis(n.Next),
		Finished:    optionalMillis(n.Finished),
		WatchUntil:  optionalMillis(n.WatchUntil),
	}
}

// saveNotifications writes rows at once; when that fails, one by one, so that
// none suffers for another. Of those with one id only the last counts.
func (s *Store) saveNotifications(ctx context.Context, rows []syncItemRow) ([]error, error) {
	last := make(map[string]int, len(rows))
	for i, row := range rows {
		last[row.ID] = i
	}
	lasting := make([]syncItemRow, 0, len(last))
	for i, row := range rows {
		if last[row.ID] == i {
			lasting = append(lasting, row)
		}
	}
	failed := make([]error, len(rows))
	if s.writeNotifications(ctx, lasting) == nil {
		return failed, nil
	}
	for i, row := range rows {
		failed[i] = s.writeNotifications(ctx, []syncItemRow{row})
	}
	return failed, nil
}

var upsertNotification = newUpsert("sync_items", []string{"id"},
	[]string{
		"id", "job_id", "account_id", "device_id", "aor", "event", "created",
		"contact", "replica", "state", "code", "reason", "attempts", "next_attempt", "finished", "watch_until",
	},
	[]string{"contact", "replica", "state", "code", "reason", "attempts", "next_attempt", "finished", "watch_until"})

func (r *syncItemRow) values() []any {
	return []any{
		r.ID, r.JobID, r.AccountID, r.DeviceID, r.AOR, r.Event, r.Created,
		r.Contact, r.Replica, r.State, r.Code, r.Reason, r.Attempts, r.NextAttempt, r.Finished, r.WatchUntil,
	}
}

func (s *Store) writeNotifications(ctx context.Context, rows []syncItemRow) error {
	if err := s.prepare(ctx, upsertNotification.one); err != nil {
		return err
	}
	values := make([][]any, len(rows))
	for i, row := range rows {
		values[i] = row.values()
	}
	return s.transaction(ctx, "save notifications", func(tx *gorm.DB) error {
		return s.upsertIn(tx, upsertNotification, values)
	})
}

// Notifications lists a device's notifications, the newest first.
func (s *Store) Notifications(ctx context.Context, deviceID string, limit int) ([]models.Notification, error) {
	var rows []syncItemRow
	err := s.db.WithContext(ctx).Where("device_id = ?", deviceID).
		Order("created DESC, id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, storeErr("notifications", err)
	}
	return convert(rows, notification)
}

// SettleNotifications gives those notifications an outcome that a server has
// left without one: all of replica from before its start, and those of any
// server that are older than a NOTIFY may be.
func (s *Store) SettleNotifications(ctx context.Context, replica string, started, old time.Time, reason string) error {
	return s.transaction(ctx, "settle notifications", func(tx *gorm.DB) error {
		return tx.Model(&syncItemRow{}).
			Where("finished IS NULL AND state IN ? AND ((replica = ? AND created < ?) OR created < ?)",
				[]string{models.NotifyQueued, models.NotifyRetrying}, clip(replica, 64), millis(started), millis(old)).
			Updates(map[string]any{
				"state": models.NotifyTimeout, "reason": reason, "next_attempt": nil, "finished": millis(s.now()),
			}).Error
	})
}

func notification(row syncItemRow) (models.Notification, error) {
	return models.Notification{
		ID:         row.ID,
		JobID:      text(row.JobID),
		AccountID:  row.AccountID,
		DeviceID:   row.DeviceID,
		AOR:        row.AOR,
		Contact:    row.Contact,
		Event:      row.Event,
		Replica:    row.Replica,
		State:      row.State,
		Code:       row.Code,
		Reason:     row.Reason,
		Attempts:   row.Attempts,
		Created:    fromMillis(row.Created),
		Next:       timeOf(row.NextAttempt),
		Finished:   timeOf(row.Finished),
		WatchUntil: timeOf(row.WatchUntil),
		Fetched:    timeOf(row.Fetched),
		Registered: timeOf(row.Registered),
	}, nil
}

// optionalMillis stores the zero time as NULL.
func optionalMillis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := millis(t)
	return &ms
}

func timeOf(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return fromMillis(*ms)
}
