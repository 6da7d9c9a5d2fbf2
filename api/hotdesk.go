package api

import (
	"context"

	"dialtone/models"
)

// listUserDevices serves GET .../users/{U}/devices: those that the user owns
// or is logged in to.
func (s *server) listUserDevices(ctx context.Context, r *request) (*answer, error) {
	user := r.params.ByName("user")
	return list(r, collection[*models.Device]{
		fetch: func(l models.Listing) ([]*models.Device, error) {
			return s.Store.ListUserDevices(ctx, r.account.ID, user, l)
		},
		id:     func(d *models.Device) string { return d.ID },
		record: s.deviceRecord,
		summary: func(d *models.Device) map[string]any {
			out := s.deviceSummary(d)
			for _, name := range []string{"username", "flags", "mobile"} {
				delete(out, name)
			}
			out["hotdesked"] = d.OwnerID != user
			return out
		},
	})
}

// listHotdesks serves GET .../hotdesks: the devices that users are logged in
// to, by user.
func (s *server) listHotdesks(ctx context.Context, r *request) (*answer, error) {
	desks, err := s.Store.Hotdesks(ctx, r.account.ID, maxUnpaged+1)
	if err != nil {
		return nil, err
	}
	if len(desks) > maxUnpaged {
		return nil, fault("range not satisfiable", "the list is too long to be answered at once")
	}
	byUser := map[string][]any{}
	for _, d := range desks {
		byUser[d.UserID] = append(byUser[d.UserID], map[string]any{"device_id": d.DeviceID, "device_name": d.DeviceName})
	}
	return ok(byUser), nil
}
