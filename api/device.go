package api

import (
	"cmp"
	"context"
	"sync"

	"dialtone/models"
)

// maxNotifications is how many outcomes GET .../notifications shows.
const maxNotifications = 50

// listDevices serves GET .../devices.
func (s *server) listDevices(ctx context.Context, r *request) (*answer, error) {
	return list(r, collection[*models.Device]{
		fetch: func(l models.Listing) ([]*models.Device, error) {
			return s.Store.ListDevices(ctx, r.account.ID, l)
		},
		id:      func(d *models.Device) string { return d.ID },
		record:  s.deviceRecord,
		summary: s.deviceSummary,
	})
}

// deviceRecord has the defaults, which are shown and not stored: a filter for
// enabled=true means all that are.
func (s *server) deviceRecord(d *models.Device) record {
	return record{
		kind: "device", accountID: d.AccountID, meta: d.Meta, doc: d.Document,
		completed: sync.OnceValue(func() models.Document { return s.completedDevice(d) }),
	}
}

// summarized are the members that a list shows as they are.
var summarized = []string{"name", "enabled", "owner_id", "mobile", "call_recording", "flags"}

func (s *server) deviceSummary(d *models.Device) map[string]any {
	part := models.Document{}
	copyMembers(part, d.Document, summarized...)
	doc := s.schemas["devices"].completed(part) // of the whole would cost a list much
	out := map[string]any{
		"id":          d.ID,
		"mac_address": d.MACAddress,
		"device_type": deviceType(d.Document),
		"flags":       []any{},
	}
	copyMembers(out, doc, summarized...)
	if d.SIP.Username != "" {
		out["username"] = d.SIP.Username
	}
	return out
}

// showDevice serves GET .../devices/{D}.
func (s *server) showDevice(ctx context.Context, r *request) (*answer, error) {
	d, err := s.device(ctx, r)
	if err != nil {
		return nil, err
	}
	return one(d.Meta, s.publicDevice(d)), nil
}

// device reads the device that the path names.
func (s *server) device(ctx context.Context, r *request) (*models.Device, error) {
	id, err := r.pathID("device")
	if err != nil {
		return nil, err
	}
	d, err := s.Store.Device(ctx, r.account.ID, id)
	return d, notFound(err, id)
}

// phone reads the device that the path names, with all that belongs to it.
func (s *server) phone(ctx context.Context, r *request) (*models.Phone, error) {
	id, err := r.pathID("device")
	if err != nil {
		return nil, err
	}
	phone, err := s.Store.PhoneByID(ctx, r.account.ID, id)
	return phone, notFound(err, id)
}

func (s *server) publicDevice(d *models.Device) map[string]any {
	return publicDocument(s.completedDevice(d), d.ID)
}

func (s *server) completedDevice(d *models.Device) models.Document {
	doc := s.schemas["devices"].completed(d.Document)
	alignExpiry(doc)
	return doc
}

// createDevice serves PUT .../devices.
func (s *server) createDevice(ctx context.Context, r *request) (*answer, error) {
	doc, err := r.document()
	if err != nil {
		return nil, err
	}
	sync := takeSync(doc)
	d, wrong, err := s.newDevice(ctx, r.actor, r.account, doc)
	if err != nil {
		return nil, err
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	if err := s.Store.CreateDevice(ctx, d); err != nil {
		return nil, nameTaken(err, doc)
	}
	s.tellPhones(ctx, r, nil, d, sync)
	return created(d.Meta, r.path+"/"+d.ID, s.publicDevice(d)), nil
}

// replaceDevice serves POST .../devices/{D}: what is not sent is dropped.
func (s *server) replaceDevice(ctx context.Context, r *request) (*answer, error) {
	return s.updateDevice(ctx, r, func(_, sent models.Document) models.Document { return sent.Clone() })
}

// patchDevice serves PATCH .../devices/{D}: what is not sent stays.
func (s *server) patchDevice(ctx context.Context, r *request) (*answer, error) {
	return s.updateDevice(ctx, r, merge)
}

// updateDevice saves what edit makes of the stored document and the one sent.
func (s *server) updateDevice(ctx context.Context, r *request, edit func(stored, sent models.Document) models.Document) (*answer, error) {
	sent, err := r.document()
	if err != nil {
		return nil, err
	}
	sync := takeSync(sent)
	delete(sent, "id")
	var old, saved *models.Device
	err = s.untilWritten(ctx, func(ctx context.Context) error {
		old, saved, err = s.updateDeviceOnce(ctx, r, func(stored models.Document) models.Document {
			doc := edit(stored, sent)
			preferSentExpiry(doc, sent)
			return doc
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	s.tellPhones(ctx, r, old, saved, sync)
	return one(saved.Meta, s.publicDevice(saved)), nil
}

// updateDeviceOnce computes the new document and writes it, unless the stored
// one changed in between: ErrConflict. It returns the device before and after.
func (s *server) updateDeviceOnce(ctx context.Context, r *request, edit func(models.Document) models.Document) (old, saved *models.Device, err error) {
	old, err = s.device(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	doc := edit(old.Document)
	wrong, err := s.settleDevice(ctx, r.actor, r.account, doc, old)
	if err != nil {
		return nil, nil, err
	}
	if err := cmp.Or(wrong.err(), r.ifMatch(old.Revision)); err != nil {
		return nil, nil, err
	}
	next := *old
	if err := next.SetDocument(doc); err != nil {
		return nil, nil, err
	}
	return old, &next, nameTaken(s.Store.SaveDevice(ctx, old, &next), doc)
}

// deleteDevice serves DELETE .../devices/{D} and answers what it was.
func (s *server) deleteDevice(ctx context.Context, r *request) (*answer, error) {
	var d *models.Device
	var bindings []models.Binding
	err := s.untilWritten(ctx, func(ctx context.Context) (err error) {
		if d, err = s.device(ctx, r); err != nil {
			return err
		}
		if err := r.ifMatch(d.Revision); err != nil {
			return err
		}
		bindings = s.bindings(ctx, r, d.ID) // the deletion takes them along
		return s.Store.DeleteDevice(ctx, d)
	})
	if err != nil {
		return nil, err
	}
	if phone := (&models.Phone{Device: d, Account: r.account}); phone.AOR() != "" {
		s.CheckSync(CheckSync{Phone: phone, Mode: r.syncMode(), Bindings: bindings})
	}
	data := s.publicDevice(d)
	data["_read_only"] = map[string]any{"deleted": true}
	return one(d.Meta, data), nil
}

// deviceStatus serves GET .../devices/status: the registered devices only.
func (s *server) deviceStatus(ctx context.Context, r *request) (*answer, error) {
	ids, p, err := r.idPage(func(after string, limit int) ([]string, error) {
		return s.Store.RegisteredDevices(ctx, r.account.ID, after, limit)
	})
	if err != nil {
		return nil, err
	}
	status := make([]any, 0, len(ids))
	for _, id := range ids {
		status = append(status, map[string]any{"device_id": id, "registered": true})
	}
	return listed(status, p), nil
}
